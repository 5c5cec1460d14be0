//! The stream over which a control plane asks and orders; nothing dials a sidecar.

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;

use crate::connection::Connection;
use crate::mesh::command::Command as Order;
use crate::mesh::command_result::Result as Answer;
use crate::mesh::command_service_client::CommandServiceClient;
use crate::mesh::{Command, CommandResult};
use crate::operator::Operator;

/// Results that wait to be sent.
const WAITING: usize = 4;

/// Carries out commands in the order they come, until the stream ends.
pub(crate) async fn run(connection: Connection, operator: &Operator) -> Status {
    let (results, outgoing) = mpsc::channel(WAITING);
    let first = CommandResult {
        instance: operator.instance.clone(),
        ..CommandResult::default()
    };
    let _ = results.send(first).await;
    let attached = CommandServiceClient::new(connection)
        .attach(ReceiverStream::new(outgoing))
        .await;
    let mut commands = match attached {
        Ok(response) => response.into_inner(),
        Err(status) => return status,
    };
    loop {
        match commands.message().await {
            Ok(Some(command)) => drop(results.send(execute(operator, command).await).await),
            Ok(None) => return Status::unavailable("the control plane ended the stream"),
            Err(status) => return status,
        }
    }
}

async fn execute(operator: &Operator, command: Command) -> CommandResult {
    let mut result = CommandResult {
        id: command.id,
        ..CommandResult::default()
    };
    match answer(operator, command).await {
        Ok(answer) => result.result = Some(answer),
        Err(status) => result.error = status.message().to_owned(),
    }
    result
}

async fn answer(operator: &Operator, command: Command) -> Result<Answer, Status> {
    let unknown = || Status::unimplemented("this sidecar does not know the command");
    Ok(match command.command.ok_or_else(unknown)? {
        Order::Explain(request) => Answer::Explain(operator.explain(request).await?),
        Order::ListBreakers(request) => Answer::ListBreakers(operator.breakers(request).await?),
        Order::ListLimits(request) => Answer::ListLimits(operator.limits(request).await?),
        Order::ListEndpoints(request) => Answer::ListEndpoints(operator.endpoints(request).await?),
        Order::ListRoutes(request) => Answer::ListRoutes(operator.routes(request).await?),
        Order::ForceBreaker(request) => {
            Answer::ForceBreaker(operator.force_breaker(request).await?)
        }
        Order::Drain(request) => Answer::Drain(operator.drain(request).await?),
        Order::SetLogLevel(request) => Answer::SetLogLevel(operator.set_log_level(&request)?),
        Order::GetConfiguration(_) => Answer::GetConfiguration(operator.configuration()),
        Order::ListDecisions(request) => Answer::ListDecisions(operator.decisions(request).await?),
    })
}
