//! The floor: what a proxy costs that finds the end of both heads, pools its upstream connections, and does nothing else.
//!
//! One thread of tokio, `httparse`, bytes passed on as they came. Understands requests without a body and answers with a
//! `Content-Length`; enough for the bench, useless for anything else.
//!
//! ```text
//! floor LISTEN_PORT UPSTREAM_PORT
//! ```

use std::{cell::RefCell, env, io, net::Ipv4Addr, process::ExitCode, rc::Rc};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task,
};

const MAX_HEADERS: usize = 64;
const BUFFER_BYTES: usize = 16 * 1024;

/// Idle connections to the one upstream.
struct Pool {
    port: u16,
    idle: RefCell<Vec<TcpStream>>,
}

impl Pool {
    async fn take(&self) -> io::Result<TcpStream> {
        let idle = self.idle.borrow_mut().pop();
        match idle {
            Some(stream) => Ok(stream),
            None => connect(self.port).await,
        }
    }

    fn give_back(&self, stream: TcpStream) {
        self.idle.borrow_mut().push(stream);
    }
}

async fn connect(port: u16) -> io::Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn invalid() -> io::Error {
    io::ErrorKind::InvalidData.into()
}

fn request_is_whole(bytes: &[u8]) -> io::Result<bool> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    Ok(request.parse(bytes).map_err(|_| invalid())?.is_complete())
}

/// Returns the length of head and body together once the head is whole.
fn response_length(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = response.parse(bytes).map_err(|_| invalid())? else {
        return Ok(None);
    };
    let body: usize = response
        .headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.parse().ok())
        .ok_or_else(invalid)?;
    Ok(Some(head + body))
}

/// Reads one request into `buffer`; false when the client left between two requests.
async fn read_request(client: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<bool> {
    buffer.clear();
    while client.read_buf(buffer).await? > 0 {
        if request_is_whole(buffer)? {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn relay_response(
    upstream: &mut TcpStream,
    client: &mut TcpStream,
    buffer: &mut Vec<u8>,
) -> io::Result<()> {
    buffer.clear();
    let mut left = loop {
        read_some(upstream, buffer).await?;
        if let Some(length) = response_length(buffer)? {
            break length;
        }
    };
    loop {
        client.write_all(buffer).await?;
        left = left.checked_sub(buffer.len()).ok_or_else(invalid)?;
        if left == 0 {
            return Ok(());
        }
        buffer.clear();
        read_some(upstream, buffer).await?;
    }
}

async fn read_some(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    match stream.read_buf(buffer).await? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => Ok(()),
    }
}

async fn serve(mut client: TcpStream, pool: Rc<Pool>) -> io::Result<()> {
    client.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(BUFFER_BYTES);
    while read_request(&mut client, &mut buffer).await? {
        let mut upstream = pool.take().await?;
        upstream.write_all(&buffer).await?;
        relay_response(&mut upstream, &mut client, &mut buffer).await?;
        pool.give_back(upstream);
    }
    Ok(())
}

async fn run(listen_port: u16, upstream_port: u16) -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, listen_port)).await?;
    let pool = Rc::new(Pool {
        port: upstream_port,
        idle: RefCell::default(),
    });
    loop {
        let (client, _) = listener.accept().await?;
        let pool = Rc::clone(&pool);
        task::spawn_local(async move {
            // A broken connection ends itself only; the load generator counts it.
            let _ = serve(client, pool).await;
        });
    }
}

fn ports() -> Option<(u16, u16)> {
    let mut arguments = env::args().skip(1).map(|argument| argument.parse().ok());
    Some((arguments.next()??, arguments.next()??))
}

fn main() -> ExitCode {
    let Some((listen_port, upstream_port)) = ports() else {
        eprintln!("usage: floor LISTEN_PORT UPSTREAM_PORT");
        return ExitCode::from(2);
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build();
    match runtime.and_then(|runtime| {
        task::LocalSet::new().block_on(&runtime, run(listen_port, upstream_port))
    }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("floor: {error}");
            ExitCode::FAILURE
        }
    }
}
