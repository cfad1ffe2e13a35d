//! What a benchmark of the worker is held against: how fast the source's log can be read when nothing is done
//! with it, how fast the target takes the same rows when they are merged beforehand, and how old the source's ticks
//! are when they can be read.
//!
//! Built and run by `make bench`, once per measurement; prints one JSON object. Uses the reader, the codecs and
//! the client of the worker, and none of its sender: no coordinator, no lease, no clock.

#![allow(clippy::print_stdout, reason = "the result of this program is what it prints")]

mod log_range;
mod packs;
mod read;
mod send;
mod target_copy;
mod ticks;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "measures the log and the target, each by itself")]
struct Arguments {
    #[command(subcommand)]
    measure: Measure,
}

#[derive(Subcommand)]
enum Measure {
    /// Prints the position at which a collection's channel ends now.
    End(log_range::Channel),
    /// Reads the channel from a position to its end.
    Read(read::Arguments),
    /// Watches at what age the source's ticks can be read.
    Ticks(ticks::Arguments),
    /// Reads the rows of a collection, merges them, and then times the calls that write them.
    Send(send::Arguments),
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let result = match Arguments::parse().measure {
        Measure::End(channel) => channel.end().await?,
        Measure::Read(arguments) => read::run(arguments).await?,
        Measure::Ticks(arguments) => ticks::run(arguments).await?,
        Measure::Send(arguments) => send::run(arguments).await?,
    };
    println!("{result}");
    Ok(())
}
