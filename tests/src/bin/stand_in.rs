//! The stand-in for the model, as a process: `stand_in ADDRESS:PORT [KEY]`.

use std::process::ExitCode;

use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(address) = arguments.next() else {
        eprintln!("stand_in: say where to listen, for example: stand_in 127.0.0.1:9000");
        return ExitCode::from(2);
    };
    let served = match TcpListener::bind(&address).await {
        Ok(listener) => sluice_tests::stand_in::serve(listener, arguments.next()).await,
        Err(error) => Err(error),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stand_in: cannot serve on {address}: {error}");
            ExitCode::FAILURE
        }
    }
}
