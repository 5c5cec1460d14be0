//! A fleet of light sidecars in one process: each has a connection and speaks the real protocol, and none has traffic.
//!
//! Told what to do by lines on standard input; answers those that ask with one JSON object a line.
//!
//! ```text
//! sidecar INSTANCE SERVICE HOST...                 one more, of namespace/name, that calls these hosts
//! connect IP:PORT alone|accompanied                all at once, anew if they were; accompanied by their other streams
//! begin                                            counts from zero
//! await connected|complete|applied COUNT MS        the figures, once that many sidecars are, or the time is over
//! report                                           the figures as they are
//! ```

mod clock;
mod companions;
mod fleet;
mod mesh;
mod otlp;
mod sidecar;
mod socket;
mod tally;
mod wire;

use std::{io, time::Duration};

use tokio::io::{AsyncBufReadExt, BufReader, stdin};
use tokio::{runtime, task::LocalSet};

use crate::fleet::Fleet;
use crate::tally::Standing;

fn main() -> io::Result<()> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    LocalSet::new().block_on(&runtime, obey())
}

async fn obey() -> io::Result<()> {
    let mut lines = BufReader::new(stdin()).lines();
    let mut fleet = Fleet::default();
    while let Some(line) = lines.next_line().await? {
        let words: Vec<_> = line.split_whitespace().collect();
        match words.as_slice() {
            ["sidecar", instance, service, hosts @ ..] => fleet.add(instance, service, hosts)?,
            ["connect", address, how] => fleet.connect(
                address.parse().map_err(io::Error::other)?,
                *how == "accompanied",
            ),
            ["begin"] => fleet.tally.begin(),
            ["await", standing, count, ms] => {
                let standing = Standing::parse(standing).ok_or_else(|| unknown(&line))?;
                let patience = Duration::from_millis(number(ms)?);
                fleet
                    .tally
                    .reached(standing, number(count)?, patience)
                    .await;
                println!("{}", fleet.tally);
            }
            ["report"] => println!("{}", fleet.tally),
            _ => return Err(unknown(&line)),
        }
    }
    Ok(())
}

fn number(word: &str) -> io::Result<u64> {
    word.parse().map_err(io::Error::other)
}

fn unknown(line: &str) -> io::Error {
    io::Error::other(format!("expected a command, found {line:?}"))
}
