//! The undo file of one run: a readable head, then batches, each on disk before what it holds is removed.
//!
//! A batch that a crash cut short is the last one, and what it held was not removed: reading ends there, and
//! writing goes on from there.

use cachescope_model::size;
use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::key::{MasterKey, WhereKept, random};
use super::record::{self, Kept};
use super::seal::Seal;
use crate::canonical;
use crate::failure::Failure;

const MAGIC: &[u8; 16] = b"cachescope undo\n";
/// The head is a few hundred bytes.
const MOST_HEAD: u32 = 64 * 1024;
/// A sealed batch is at most one value and a little.
const MOST_BATCH: u32 = 1 << 30;
/// Batches that may wait to be written, and share a sync then; whoever makes them bounds their bytes.
const QUEUE: usize = 32;
/// Bytes from which on a batch on disk is not made larger.
const PACKED_FROM: usize = 256 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Head {
    run: String,
    key_id: String,
    key_kept: WhereKept,
    salt: String,
}

struct Job {
    records: Arc<Vec<Kept>>,
    done: oneshot::Sender<Result<(), Failure>>,
}

/// Writes an undo file, on a thread of its own.
#[derive(Clone, Debug)]
pub struct UndoWriter {
    jobs: mpsc::Sender<Job>,
    bytes: Arc<AtomicU64>,
    path: Arc<Path>,
}

impl UndoWriter {
    /// Begins the file of a run, or goes on with the one that a run left behind. Blocks.
    ///
    /// # Errors
    /// When it can't be written, or belongs to another run or key.
    pub fn open(path: &Path, run: &str, master: &MasterKey, most_bytes: u64) -> Result<Self, Failure> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(|error| cannot(path, &error))?;
        let length = file.metadata().map_err(|error| cannot(path, &error))?.len();
        let (seal, number, end) = if length == 0 {
            let salt = random()?;
            let head = Head {
                run: run.to_owned(),
                key_id: master.id(),
                key_kept: master.kept(),
                salt: canonical::hex(&salt),
            };
            let head = serde_json::to_vec(&head).map_err(|error| Failure::storage(error.to_string(), ""))?;
            let mut begun = MAGIC.to_vec();
            begun.extend((head.len() as u32).to_le_bytes());
            begun.extend(head);
            file.write_all(&begun).and_then(|()| file.sync_all()).map_err(|error| cannot(path, &error))?;
            sync_directory(path);
            (Seal::new(&master.of_file(&salt)?, run)?, 0, begun.len() as u64)
        } else {
            let mut reader = UndoReader::open(path, run, master)?;
            while reader.next_batch().is_some() {}
            (reader.seal, reader.number, reader.sound_to)
        };
        // What a crash cut short goes.
        file.set_len(end).map_err(|error| cannot(path, &error))?;
        file.seek(SeekFrom::Start(end)).map_err(|error| cannot(path, &error))?;
        let bytes = Arc::new(AtomicU64::new(end));
        let (jobs, queue) = mpsc::channel(QUEUE);
        let writing = Writing { file, path: path.to_owned(), seal, number, end, most_bytes };
        let counted = Arc::clone(&bytes);
        thread::Builder::new()
            .name("undo".to_owned())
            .spawn(move || writing.run(queue, &counted))
            .map_err(|error| cannot(path, &error))?;
        Ok(Self { jobs, bytes, path: path.into() })
    }

    /// Keeps records. They are on disk when this returns.
    ///
    /// # Errors
    /// When they can't be: then nothing of them must be removed.
    pub async fn keep(&self, records: impl Into<Arc<Vec<Kept>>>) -> Result<(), Failure> {
        let (done, answered) = oneshot::channel();
        let stopped = || Failure::storage("the undo file is closed after an error", "");
        self.jobs.send(Job { records: records.into(), done }).await.map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }

    /// Bytes of the file.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

struct Writing {
    file: File,
    path: PathBuf,
    seal: Seal,
    number: u64,
    end: u64,
    most_bytes: u64,
}

impl Writing {
    fn run(mut self, mut queue: mpsc::Receiver<Job>, bytes: &AtomicU64) {
        while let Some(first) = queue.blocking_recv() {
            // All that wait share one sync.
            let mut jobs = vec![first];
            while jobs.len() < QUEUE
                && let Ok(next) = queue.try_recv()
            {
                jobs.push(next);
            }
            let written = self.write(&jobs);
            bytes.store(self.end, Ordering::Relaxed);
            let failed = written.is_err();
            for job in jobs {
                // A caller that went away removes nothing.
                let _ = job.done.send(written.clone());
            }
            if failed {
                return;
            }
        }
    }

    fn write(&mut self, jobs: &[Job]) -> Result<(), Failure> {
        // Small batches are packed as one.
        let mut bytes = Vec::new();
        let mut number = self.number;
        let (mut packed, mut rest) = (Vec::new(), jobs);
        while let Some((job, others)) = rest.split_first() {
            record::write(&job.records, &mut packed);
            rest = others;
            if packed.len() < PACKED_FROM && !rest.is_empty() {
                continue;
            }
            let sealed = self.seal.close(number, &packed)?;
            packed.clear();
            bytes.extend((sealed.len() as u32).to_le_bytes());
            bytes.extend(sealed);
            number += 1;
        }
        let end = self.end + bytes.len() as u64;
        if end > self.most_bytes {
            return Err(Failure::storage(
                format!(
                    "the undo file would grow beyond its limit of {}",
                    size::format(self.most_bytes as f64)
                ),
                "let undo files be larger in the settings, or run the rest without undo",
            ));
        }
        if let Err(error) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            // What is half written is cut off, so that the file can be read to its end.
            let cut = self.file.set_len(self.end);
            if let Err(error) = cut {
                tracing::warn!(%error, "the end of the undo file can't be cut off; reading it ends there");
            }
            return Err(cannot(&self.path, &error));
        }
        (self.number, self.end) = (number, end);
        Ok(())
    }
}

/// Reads an undo file, batch by batch.
pub struct UndoReader {
    file: BufReader<File>,
    seal: Seal,
    number: u64,
    /// Up to where every batch could be read.
    sound_to: u64,
    complete: bool,
}

impl UndoReader {
    /// Opens the file of a run. Blocks.
    ///
    /// # Errors
    /// When it is missing, damaged, another run's, or the key is not the one it was written with.
    pub fn open(path: &Path, run: &str, master: &MasterKey) -> Result<Self, Failure> {
        let damaged = || Failure::storage(format!("{} is no undo file of this program", path.display()), "");
        let mut file = BufReader::new(File::open(path).map_err(|error| cannot(path, &error))?);
        let head = read_head(&mut file).ok_or_else(damaged)?;
        if head.run != run {
            return Err(Failure::storage(format!("{} belongs to run {}", path.display(), head.run), ""));
        }
        if head.key_id != master.id() {
            return Err(Failure::storage(
                format!("{} was {}, and that key is not here", path.display(), head.key_kept),
                "undo it where it was run, with the same keychain and state directory",
            ));
        }
        let salt = unhex(&head.salt).ok_or_else(damaged)?;
        let sound_to = file.stream_position().map_err(|error| cannot(path, &error))?;
        let seal = Seal::new(&master.of_file(&salt)?, run)?;
        Ok(Self { file, seal, number: 0, sound_to, complete: true })
    }

    /// Where the key of a file is kept.
    #[must_use]
    pub fn key_of(path: &Path) -> Option<WhereKept> {
        read_head(&mut File::open(path).ok()?).map(|head| head.key_kept)
    }

    /// The next batch; `None` at the end, and where a batch is not what was written: see
    /// [`is_complete`](Self::is_complete).
    pub fn next_batch(&mut self) -> Option<Vec<Kept>> {
        let mut length = [0; 4];
        match self.file.read_exact(&mut length) {
            Ok(()) => {}
            Err(_) => {
                self.complete &= self.file.stream_position().is_ok_and(|at| at == self.sound_to);
                return None;
            }
        }
        self.complete = false;
        let length = u32::from_le_bytes(length);
        if length > MOST_BATCH {
            return None;
        }
        let mut sealed = Vec::new();
        (&mut self.file).take(u64::from(length)).read_to_end(&mut sealed).ok()?;
        if sealed.len() != length as usize {
            return None;
        }
        let records = record::read(&self.seal.open(self.number, sealed)?)?;
        self.number += 1;
        self.sound_to += 4 + u64::from(length);
        self.complete = true;
        Some(records)
    }

    /// Whether everything up to the end of the file could be read.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

fn read_head(file: &mut impl Read) -> Option<Head> {
    let mut magic = [0; 16];
    file.read_exact(&mut magic).ok()?;
    let mut length = [0; 4];
    file.read_exact(&mut length).ok()?;
    let length = u32::from_le_bytes(length);
    if magic != *MAGIC || length > MOST_HEAD {
        return None;
    }
    let mut head = vec![0; length as usize];
    file.read_exact(&mut head).ok()?;
    serde_json::from_slice(&head).ok()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect()
}

/// A new file is there after a power cut only when its directory was synced too.
fn sync_directory(path: &Path) {
    let synced =
        path.parent().map(File::open).map(|opened| opened.and_then(|directory| directory.sync_all()));
    if let Some(Err(error)) = synced {
        tracing::debug!(%error, "the undo directory can't be synced");
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> Failure {
    let remedy = match error.kind() {
        std::io::ErrorKind::StorageFull
        | std::io::ErrorKind::QuotaExceeded
        | std::io::ErrorKind::FileTooLarge => "free some space; nothing that is not in the file was removed",
        _ => "see that the state directory can be written; nothing that is not in the file was removed",
    };
    Failure::storage(format!("the undo file {} can't be used: {error}", path.display()), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(from: u32, to: u32) -> Vec<Kept> {
        let one = |number: u32| Kept {
            database: 3,
            key: format!("key\0\n{number}").into_bytes(),
            expires_at_ms: number.is_multiple_of(2).then_some(u64::from(number)),
            payload: vec![number as u8; number as usize],
        };
        (from..to).map(one).collect()
    }

    fn read_all(path: &Path, master: &MasterKey) -> (Vec<Kept>, bool) {
        let mut reader = UndoReader::open(path, "7", master).expect("it is an undo file");
        let mut all = Vec::new();
        while let Some(batch) = reader.next_batch() {
            all.extend(batch);
        }
        (all, reader.is_complete())
    }

    #[tokio::test]
    async fn what_was_kept_comes_back_and_is_nowhere_in_clear() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("7.undo");
        let master = MasterKey::generate(WhereKept::File).expect("a key");
        let writer = UndoWriter::open(&path, "7", &master, u64::MAX).expect("it can be written");
        writer.keep(records(0, 100)).await.expect("kept");
        writer.keep(records(100, 200)).await.expect("kept");
        let (all, complete) = read_all(&path, &master);
        assert_eq!((all, complete), (records(0, 200), true));
        let bytes = std::fs::read(&path).expect("it is there");
        assert!(!bytes.windows(4).any(|window| window == b"key\0"), "names are encrypted");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o077, 0);
        }
        let other = MasterKey::generate(WhereKept::File).expect("a key");
        assert!(UndoReader::open(&path, "7", &other).is_err(), "another key");
        assert!(UndoReader::open(&path, "8", &master).is_err(), "another run");
    }

    #[tokio::test]
    async fn a_batch_cut_short_at_any_byte_ends_the_file_and_writing_goes_on_from_there() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("7.undo");
        let master = MasterKey::generate(WhereKept::File).expect("a key");
        let writer = UndoWriter::open(&path, "7", &master, u64::MAX).expect("it can be written");
        writer.keep(records(0, 5)).await.expect("kept");
        let first = writer.bytes();
        writer.keep(records(5, 9)).await.expect("kept");
        let whole = std::fs::read(&path).expect("it is there");
        drop(writer);
        for cut in first..whole.len() as u64 {
            std::fs::write(&path, &whole[..cut as usize]).expect("written");
            let (all, complete) = read_all(&path, &master);
            assert_eq!((all, complete), (records(0, 5), cut == first), "cut at {cut}");
        }
        let writer = UndoWriter::open(&path, "7", &master, u64::MAX).expect("it goes on");
        writer.keep(records(5, 6)).await.expect("kept");
        assert_eq!(read_all(&path, &master), (records(0, 6), true));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_full_disk_is_said_with_what_to_do() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("7.undo");
        std::os::unix::fs::symlink("/dev/full", &path).expect("linked");
        let master = MasterKey::generate(WhereKept::File).expect("a key");
        let failure = UndoWriter::open(&path, "7", &master, u64::MAX).expect_err("the disk is full");
        assert!(failure.remedy.starts_with("free some space"), "{failure:?}");
    }

    #[tokio::test]
    async fn a_changed_byte_is_noticed_and_a_file_beyond_its_limit_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("7.undo");
        let master = MasterKey::generate(WhereKept::File).expect("a key");
        let writer = UndoWriter::open(&path, "7", &master, 2_000).expect("it can be written");
        writer.keep(records(0, 5)).await.expect("kept");
        let noise: Vec<u8> = (0..4_000).map(|_| rand::random()).collect();
        let large = Kept { database: 0, key: b"k".to_vec(), expires_at_ms: None, payload: noise };
        assert!(writer.keep(vec![large]).await.is_err(), "beyond the limit");
        let mut whole = std::fs::read(&path).expect("it is there");
        assert_eq!(read_all(&path, &master), (records(0, 5), true), "what fits is kept");
        if let Some(last) = whole.last_mut() {
            *last ^= 1;
        }
        std::fs::write(&path, whole).expect("written");
        assert_eq!(read_all(&path, &master), (Vec::new(), false));
    }
}
