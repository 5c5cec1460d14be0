//! A sidecar on a thread of its own.

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use agent::{Outputs, Remote, Summary};
use proxy::LogSink;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

/// How long anything may take that should happen.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for what should happen.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.unwrap()
}

/// A state directory that is gone with the test, and once more with each sidecar that wrote to it after that.
pub(crate) struct Directory(Arc<Scratch>);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        let name = format!("breakwater-agent-{}-{name}", std::process::id());
        Self::at(std::env::temp_dir().join(name))
    }

    pub(crate) fn at(path: impl Into<PathBuf>) -> Self {
        Self(Arc::new(Scratch(path.into())))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.0.remove();
    }
}

struct Scratch(PathBuf);

impl Scratch {
    fn remove(&self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.remove();
    }
}

/// A running sidecar of `shop/storefront`.
pub(crate) struct Sidecar {
    pub(crate) remote: Remote,
    outbound: SocketAddr,
    http: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

impl Sidecar {
    /// Starts a sidecar that keeps its state in `directory` and asks the control planes at `addresses`.
    pub(crate) fn start(directory: &Directory, addresses: &[SocketAddr]) -> Self {
        Self::beside(([127, 0, 0, 1], 9).into(), directory, addresses)
    }

    /// The same, which lets everything pass when it has no configuration after `seconds`.
    pub(crate) fn passing_after(
        seconds: &str,
        directory: &Directory,
        addresses: &[SocketAddr],
    ) -> Self {
        let flag = ("pass-through-after", seconds.to_owned());
        Self::launch(([127, 0, 0, 1], 9).into(), directory, addresses, [flag])
    }

    /// The same, beside the application at `app`.
    pub(crate) fn beside(app: SocketAddr, directory: &Directory, addresses: &[SocketAddr]) -> Self {
        Self::launch(app, directory, addresses, [])
    }

    fn launch<const N: usize>(
        app: SocketAddr,
        directory: &Directory,
        addresses: &[SocketAddr],
        further: [(&'static str, String); N],
    ) -> Self {
        let (inbound, outbound, http) = (free_address(), free_address(), free_address());
        let controlplane = addresses
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(",");
        let mut flags = vec![
            ("instance", "storefront-0".to_owned()),
            ("service", "shop/storefront".to_owned()),
            ("app", app.to_string()),
            ("inbound", inbound.to_string()),
            ("outbound", outbound.to_string()),
            ("http", http.to_string()),
            (
                "admin",
                format!("unix:{}", directory.path().join("admin.sock").display()),
            ),
            ("state-dir", directory.path().display().to_string()),
            ("drain-timeout", "25".to_owned()),
        ];
        if !controlplane.is_empty() {
            flags.push(("controlplane", controlplane));
        }
        flags.extend(further);
        let values: BTreeMap<_, _> = flags
            .into_iter()
            .map(|(flag, value)| (flag.to_owned(), vec![value]))
            .collect();
        let settings = agent::parse_settings(&values).unwrap();
        let (sender, started) = mpsc::channel();
        let outputs = Outputs {
            log: Box::new(std::io::sink()),
            access_log: LogSink::none(),
        };
        let scratch = Arc::clone(&directory.0);
        let run = move || {
            agent::run(settings, outputs, |remote| sender.send(remote).unwrap()).unwrap();
            drop(scratch);
        };
        let thread = std::thread::spawn(run);
        let remote = started.recv_timeout(PATIENCE).unwrap();
        Self {
            remote,
            outbound,
            http,
            thread: Some(thread),
        }
    }

    pub(crate) fn summary(&self) -> Summary {
        self.remote.summary()
    }

    /// Status and whole answer of a page.
    pub(crate) async fn page(&self, path: &str) -> String {
        exchange(
            self.http,
            &format!("GET {path} HTTP/1.1\r\nHost: sidecar\r\n\r\n"),
        )
        .await
    }

    /// The answer to a call of the workload.
    pub(crate) async fn call(&self, host: &str) -> String {
        exchange(
            self.outbound,
            &format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
        )
        .await
    }

    /// Waits until the sidecar is gone by itself.
    pub(crate) async fn gone(mut self) {
        let thread = self.thread.take().unwrap();
        let joining = tokio::task::spawn_blocking(|| thread.join().unwrap());
        soon(joining).await.unwrap();
    }

    pub(crate) async fn stop(self) {
        self.remote.drain(Duration::ZERO);
        self.gone().await;
    }
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.remote.drain(Duration::ZERO);
    }
}

async fn exchange(address: SocketAddr, request: &str) -> String {
    let exchange = async {
        let mut connection = TcpStream::connect(address).await.unwrap();
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    soon(exchange).await
}

pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// Waits until `holds` does.
pub(crate) async fn eventually(holds: impl Fn() -> bool) {
    soon(async {
        while !holds() {
            sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}
