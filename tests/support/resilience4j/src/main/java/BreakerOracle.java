import io.github.resilience4j.circuitbreaker.CircuitBreaker;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig;
import io.github.resilience4j.circuitbreaker.CircuitBreakerConfig.SlidingWindowType;
import io.github.resilience4j.core.IntervalFunction;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.ZoneOffset;
import java.util.concurrent.TimeUnit;

/**
 * A resilience4j breaker driven line by line: a command on standard input, on standard output what became of it.
 *
 * <p>Commands: {@code new WINDOW SIZE MINIMUM ERROR_RATE SLOW_RATE SLOW_NS OPEN_MS MULTIPLIER MAX_MS PROBES},
 * {@code at MS}, {@code admit}, {@code success NS}, {@code failure NS}, {@code release}, {@code force STATE},
 * {@code lift}. Each answer reads {@code yes|no STATE CALLS FAILURES SLOW}.
 */
public final class BreakerOracle {
  private static final Throwable FAILURE = new IOException("failed");

  private final SettableClock clock = new SettableClock();
  private CircuitBreaker breaker;

  public static void main(String[] arguments) throws IOException {
    BreakerOracle oracle = new BreakerOracle();
    BufferedReader commands = new BufferedReader(new InputStreamReader(System.in));
    for (String line = commands.readLine(); line != null; line = commands.readLine()) {
      System.out.println(oracle.obey(line.split(" ")));
    }
  }

  private String obey(String[] words) {
    boolean answer = true;
    switch (words[0]) {
      case "new" -> begin(config(words));
      case "at" -> clock.millis = Long.parseLong(words[1]);
      case "admit" -> answer = breaker.tryAcquirePermission();
      case "success" -> breaker.onSuccess(Long.parseLong(words[1]), TimeUnit.NANOSECONDS);
      case "failure" -> breaker.onError(Long.parseLong(words[1]), TimeUnit.NANOSECONDS, FAILURE);
      case "release" -> breaker.releasePermission();
      case "force" -> force(words[1]);
      case "lift" -> breaker.transitionToClosedState();
      default -> throw new IllegalArgumentException(words[0]);
    }
    CircuitBreaker.Metrics metrics = breaker.getMetrics();
    return String.format(
        "%s %s %d %d %d",
        answer ? "yes" : "no",
        breaker.getState(),
        metrics.getNumberOfBufferedCalls(),
        metrics.getNumberOfFailedCalls(),
        metrics.getNumberOfSlowCalls());
  }

  private void begin(CircuitBreakerConfig config) {
    clock.millis = 0;
    breaker = CircuitBreaker.of("oracle", config);
  }

  private CircuitBreakerConfig config(String[] words) {
    return CircuitBreakerConfig.custom()
        .clock(clock)
        .slidingWindowType(SlidingWindowType.valueOf(words[1]))
        .slidingWindowSize(Integer.parseInt(words[2]))
        .minimumNumberOfCalls(Integer.parseInt(words[3]))
        .failureRateThreshold(Float.parseFloat(words[4]))
        .slowCallRateThreshold(Float.parseFloat(words[5]))
        .slowCallDurationThreshold(Duration.ofNanos(Long.parseLong(words[6])))
        .waitIntervalFunctionInOpenState(
            IntervalFunction.ofExponentialBackoff(
                Long.parseLong(words[7]),
                Double.parseDouble(words[8]),
                Long.parseLong(words[9])))
        .permittedNumberOfCallsInHalfOpenState(Integer.parseInt(words[10]))
        .build();
  }

  private void force(String state) {
    switch (state) {
      case "open" -> breaker.transitionToForcedOpenState();
      case "closed" -> breaker.transitionToMetricsOnlyState();
      case "disabled" -> breaker.transitionToDisabledState();
      default -> throw new IllegalArgumentException(state);
    }
  }

  /** Stands still until it is set. */
  private static final class SettableClock extends Clock {
    private long millis;

    @Override
    public ZoneId getZone() {
      return ZoneOffset.UTC;
    }

    @Override
    public Clock withZone(ZoneId zone) {
      return this;
    }

    @Override
    public Instant instant() {
      return Instant.ofEpochMilli(millis);
    }
  }
}
