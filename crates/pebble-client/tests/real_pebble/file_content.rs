//! Reading and writing files.

use pebble_client::WriteFile;

use crate::daemon::Daemon;

#[tokio::test]
async fn written_file_is_read_back() {
    let daemon = Daemon::start().await;
    let path = daemon.path("file");
    for length in [0, 1, 65_535, 65_536, 65_537, 1 << 20] {
        let content: Vec<u8> = (0..length)
            .map(|index: u32| index.to_le_bytes()[(index % 3) as usize])
            .collect();
        daemon
            .client
            .write_file(WriteFile::new(&path), &content)
            .await
            .unwrap();
        assert!(
            std::fs::read(&path).unwrap() == content,
            "written: {length} bytes"
        );
        assert!(
            daemon.client.read_file(&path).await.unwrap() == content,
            "read: {length} bytes"
        );
    }
}
