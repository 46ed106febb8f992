//! What is on the disk: bounded, mended, and never somebody else's.

use std::{fs, path::PathBuf, sync::mpsc::sync_channel, thread};

use super::{
    super::{
        read,
        rotation::{Rotation, before},
        writer::{Told, Writer},
    },
    *,
};

fn head_member() -> Vec<u8> {
    let mut text = String::new();
    line::write_head(&head(), &mut text);
    member::pack(&text).unwrap()
}

fn batch(seed: u64) -> Vec<u8> {
    let mut batch = Batch::new(ms(100_000 + seed), Duration::ZERO, &Attachments::new());
    for number in 0..500 {
        batch.sample(
            ms(100_000 + seed),
            0,
            &sample(100_000, 0, answered((number * 7_919 + seed * 104_729) % 90_000)),
        );
    }
    member::pack(&batch.finish(ms(100_000 + seed), Duration::ZERO)).unwrap()
}

fn all(files: &[PathBuf]) -> (Vec<Entry>, Faults) {
    let mut entries = Vec::new();
    let faults = read(files, &mut |entry| entries.push(entry.clone())).unwrap();
    (entries, faults)
}

fn samples(entries: &[Entry]) -> usize {
    entries.iter().filter(|entry| matches!(entry, Entry::Sample(_))).count()
}

#[test]
fn two_files_never_take_more_than_twice_the_bound_and_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.pwr.gz");
    let bound = 64 * 1024;
    let mut files = Rotation::new(path.clone(), bound);
    for number in 0..200 {
        files.append(&head_member(), &batch(number)).unwrap();
        for file in [&path, &before(&path)] {
            let size = fs::metadata(file).map_or(0, |it| it.len());
            assert!(size <= bound, "{} bytes in {}", size, file.display());
        }
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    let (entries, faults) = all(&[before(&path), path]);
    assert_eq!(faults, Faults::default());
    assert_eq!(entries.iter().filter(|entry| matches!(entry, Entry::Began(_))).count(), 1, "one run in two files");
    assert!(samples(&entries) > 500 * 20);
}

#[test]
fn a_restart_goes_on_in_the_same_file_and_mends_its_torn_end() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.pwr.gz");
    let mut files = Rotation::new(path.clone(), 1 << 20);
    for number in 0..3 {
        files.append(&head_member(), &batch(number)).unwrap();
    }
    drop(files);
    let bytes = fs::read(&path).unwrap();
    for kept in [bytes.len() - 7, bytes.len() - batch(2).len() + 5, bytes.len() - batch(2).len()] {
        fs::write(&path, &bytes[..kept]).unwrap();
        Rotation::new(path.clone(), 1 << 20).append(&head_member(), &batch(3)).unwrap();
        let (entries, faults) = all(std::slice::from_ref(&path));
        assert_eq!((samples(&entries), faults), (3 * 500, Faults::default()), "{kept} bytes were left");
    }
    for kept in [0, 1, 3, 12] {
        fs::write(&path, &bytes[..kept]).unwrap();
        Rotation::new(path.clone(), 1 << 20).append(&head_member(), &batch(3)).unwrap();
        assert_eq!(samples(&all(std::slice::from_ref(&path)).0), 500, "{kept} bytes were left");
    }
}

#[test]
fn a_file_that_is_no_recording_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shadow");
    for name in [path.clone(), before(&path)] {
        fs::write(&name, "root:*:19000:0:99999:7:::\n").unwrap();
        let mut files = Rotation::new(path.clone(), 64 * 1024);
        let outcome = (0..200).try_for_each(|number| files.append(&head_member(), &batch(number)));
        assert!(outcome.unwrap_err().to_string().contains("is no recording"), "{}", name.display());
        assert_eq!(fs::read_to_string(&name).unwrap(), "root:*:19000:0:99999:7:::\n");
        fs::remove_file(&name).unwrap();
    }
}

#[test]
fn the_thread_writes_what_it_was_told_and_what_was_dropped_and_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("samples.pwr.gz");
    let writer = Writer::new(&head(), Rotation::new(path.clone(), 1 << 20)).unwrap();
    let (sender, told) = sync_channel(16);
    let thread = thread::spawn(move || writer.run(&told));
    sender.send(Told::Attachment(ms(100_100), UplinkId(0), Family::Ipv4, (Attached::Yes, String::new()))).unwrap();
    sender.send(Told::Dropped(5)).unwrap();
    for number in 0..2_000 {
        sender.send(Told::Sample(ms(100_200 + number), sample(100_190 + number, 0, answered(10_000)))).unwrap();
    }
    drop(sender);
    thread.join().unwrap();
    let (entries, faults) = all(&[path]);
    assert_eq!((samples(&entries), faults), (2_000, Faults { dropped: 5, ..Faults::default() }));
}

#[test]
fn a_disk_that_fails_costs_what_was_to_be_written_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("not-there-yet").join("samples.pwr.gz");
    let mut files = Rotation::new(path.clone(), 1 << 20);
    assert!(files.append(&head_member(), &batch(0)).is_err());
    fs::create_dir(path.parent().unwrap()).unwrap();
    files.append(&head_member(), &batch(1)).unwrap();
    assert_eq!(samples(&all(&[path]).0), 500);
}
