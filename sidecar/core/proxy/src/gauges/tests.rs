use policy::Percent;
use policy::rate_limit::strain::Resource;

use super::Gauges;

#[test]
fn what_nobody_measured_is_not_known() {
    let gauges = Gauges::default();
    gauges.publish(Resource::Cpu, Some(Percent::new(0)));
    assert_eq!(gauges.read(Resource::Cpu), Some(Percent::new(0)));
    assert_eq!(gauges.read(Resource::Memory), None);
    gauges.publish(Resource::Cpu, None);
    assert_eq!(gauges.read(Resource::Cpu), None);
}
