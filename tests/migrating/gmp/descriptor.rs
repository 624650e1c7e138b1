//! Any descriptor.

// snippet
use gmp::Async;
use std::io::Read;
use std::os::unix::net::UnixStream;

async fn first_byte(stream: UnixStream) -> std::io::Result<u8> {
    let stream = Async::new(stream)?;
    let mut byte = [0];
    stream
        .read_with(|mut stream| stream.read(&mut byte))
        .await?;
    Ok(byte[0])
}
// end

#[test]
fn runs() {
    let (near, mut far) = UnixStream::pair().expect("sockets");
    std::io::Write::write_all(&mut far, b"x").expect("room");
    assert_eq!(gmp::block_on(first_byte(near)).expect("a byte"), b'x');
}
