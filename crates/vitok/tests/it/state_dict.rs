//! Published weight files: what PyTorch and numpy read from the same files, damaged ones, hostile ones. The fixtures are
//! made by `fixtures/weights/make.py`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;
use vitok::weights::{Array, StateDict, read_state_dict};
use vitok::weights::{Dtype, NewTensor, write_tensors};

/// Readable files; each has its content in `expected.json`.
const SOUND: [&str; 10] = [
    "zip.pth",
    "legacy.pth",
    "nested.pth",
    "model.pth",
    "big-endian.pth",
    "first-years.pth",
    "numpy-2.pkl",
    "numpy-3.pkl",
    "numpy-4.pkl",
    "numpy-5.pkl",
];

fn fixture(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/weights");
    Path::new(folder).join(name)
}

/// What a file of these bytes gives, or its error as text.
fn read(bytes: &[u8]) -> Result<StateDict, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights");
    fs::write(&path, bytes).unwrap();
    read_state_dict(&path).map_err(|e| e.to_string())
}

fn refused(bytes: &[u8], word: &str) {
    let error = read(bytes).expect_err(word);
    assert!(error.contains(word), "{error:?} lacks {word:?}");
    assert!(error.contains("weights: "), "{error:?} names no file");
}

/// A pickle of protocol 4 that makes `{"a": …}`, where `body` makes one value.
fn pickle(body: &[u8]) -> Vec<u8> {
    [b"\x80\x04}\x8c\x01a", body, b"s."].concat()
}

fn expected(name: &str) -> StateDict {
    let text = fs::read_to_string(fixture("expected.json")).unwrap();
    let all: Value = serde_json::from_str(&text).unwrap();
    let numbers = |value: &Value| -> Vec<f64> {
        let numbers = value.as_array().unwrap().iter();
        numbers.map(|v| v.as_f64().unwrap()).collect()
    };
    let arrays = all[name].as_object().unwrap().iter();
    arrays
        .map(|(name, array)| {
            let array = Array {
                shape: numbers(&array["shape"]).iter().map(|&n| n as usize).collect(),
                values: numbers(&array["values"]).iter().map(|&v| v as f32).collect(),
            };
            (name.clone(), array)
        })
        .collect()
}

#[test]
fn arrays_are_what_torch_and_numpy_read() {
    for name in SOUND {
        let found = read_state_dict(&fixture(name)).unwrap();
        assert_eq!(found, expected(name), "{name}");
        assert!(!found.is_empty());
    }
    assert_eq!(read_state_dict(&fixture("zip.pth")).unwrap().len(), 17);
}

#[test]
fn safetensors_are_read_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.anything");
    let tensor = NewTensor {
        name: "a".into(),
        shape: vec![2, 1],
        values: Box::new(|| Ok(vec![0.5, -2.0])),
    };
    write_tensors(&path, &BTreeMap::new(), vec![tensor], Dtype::F16).unwrap();
    let array = Array {
        shape: vec![2, 1],
        values: vec![0.5, -2.0],
    };
    assert_eq!(read_state_dict(&path).unwrap(), StateDict::from([("a".into(), array)]));
}

/// Strings of Python 2 are bytes, names and data alike.
#[test]
fn pickles_of_python_2_are_read() {
    let bytes = b"\x80\x02}U\x01acnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R\
        (K\x01K\x02\x85cnumpy\ndtype\nU\x02f4K\x00K\x01\x87R(K\x03U\x01<NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\
        \x89U\x08\x00\x00\x80\x3f\x00\x00\x00\xc0tbs.";
    let array = Array {
        shape: vec![2],
        values: vec![1.0, -2.0],
    };
    assert_eq!(read(bytes).unwrap(), StateDict::from([("a".into(), array)]));
}

#[test]
fn every_file_that_ends_early_is_an_error() {
    for name in SOUND {
        let bytes = fs::read(fixture(name)).unwrap();
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "{name} cut to {length}");
        }
        let longer = [bytes.as_slice(), b"x"].concat();
        // A zip file is found from its end, and may have a remark there.
        assert!(read(&longer).is_err() || bytes.starts_with(b"PK"), "{name}");
    }
}

/// Some flips change a value and nothing else; none may be a panic.
#[test]
fn flipped_bytes_are_no_panic() {
    let mut rng = StdRng::seed_from_u64(5);
    for name in SOUND.iter().chain(&["hostile.pth", "script.pt"]) {
        let sound = fs::read(fixture(name)).unwrap();
        for _ in 0..1000 {
            let mut bytes = sound.clone();
            for _ in 0..rng.random_range(1..4) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            let _ = read(&bytes);
        }
    }
}

/// A storage's checksum is the only thing that tells a flipped bit in it.
#[test]
fn a_flipped_bit_in_a_zip_is_an_error() {
    let mut bytes = fs::read(fixture("zip.pth")).unwrap();
    let value = 1.5f32.to_le_bytes();
    let at = bytes.windows(4).position(|w| w == value).unwrap();
    bytes[at] ^= 1;
    refused(&bytes, "damaged");
}

#[test]
fn hostile_files_are_refused_by_the_name_they_ask_for() {
    for (name, asked) in [
        ("hostile.pth", "posix.system"),
        ("hostile-legacy.pth", "posix.system"),
        ("hostile-system-2.pkl", "posix.system"),
        ("hostile-system-4.pkl", "posix.system"),
        ("hostile-eval-2.pkl", "__builtin__.eval"),
        ("hostile-eval-4.pkl", "builtins.eval"),
        ("hostile-within-2.pkl", "posix.system"),
        ("hostile-within-4.pkl", "posix.system"),
    ] {
        let error = read_state_dict(&fixture(name)).unwrap_err().to_string();
        let wanted = format!("asks to run {asked}");
        assert!(error.contains(&wanted) && error.contains(name), "{error}");
    }
    assert!(!Path::new("hostile-was-run").exists());

    refused(b"\x80\x02cos\nsystem\nX\x02\0\0\0id\x85R.", "os.system");
    refused(
        &pickle(b"\x8c\x08builtins\x8c\x04exec\x93\x8c\x01x\x85R"),
        "builtins.exec",
    );
    refused(b"\x80\x02(X\x02\0\0\0idios\nsystem\n.", "os.system");
    refused(b"\x80\x02(csubprocess\nPopen\nX\x02\0\0\0ido.", "subprocess.Popen");
    // Names out of the memo and dotted ones are names all the same.
    refused(
        &pickle(b"\x8c\x02os\x94\x8c\x06system\x94h\x00h\x01\x93)R"),
        "os.system",
    );
    refused(
        &pickle(b"\x8c\x05torch\x8c\x19serialization.os.system()\x93)R"),
        "torch.serialization",
    );
    refused(&pickle(b"\x8c\x05torch\x8c\x04load\x93)R"), "torch.load");
    // A class of the list is not made to do another's work, and what is no function is not called.
    refused(&pickle(b"cnumpy\nndarray\n\x8c\x01x\x85R"), "Ndarray");
    refused(&pickle(b"\x8c\x09os.system)R"), "no function");
    refused(&pickle(b"ccollections\nOrderedDict\n)R}b\x82\x01"), "operation");
    // Control characters do not reach the terminal.
    let error = read(&pickle(b"\x8c\x05a\x1b[2J\x8c\x01b\x93")).unwrap_err();
    assert!(error.contains("a[2J.b") && !error.contains('\x1b'), "{error}");
}

/// A tensor of protocol 4 without its storage: `tail` is offset, shape and strides.
fn tensor(tail: &[u8]) -> Vec<u8> {
    let bytes: &[u8] = b"((\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuK\x02tQ";
    let state = pickle(&[b"ctorch._utils\n_rebuild_tensor\n".as_slice(), bytes, tail, b"tR"].concat());
    [
        b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.\x80\x02M\xe9\x03.\x80\x02}.".as_slice(),
        &state,
        b"\x80\x02]X\x01\0\0\x000a.\x02\0\0\0\0\0\0\0\x00\x00\x80\x3f\x00\x00\x00\x40",
    ]
    .concat()
}

#[test]
fn shapes_and_strides_that_do_not_fit_are_errors() {
    let huge = b"\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f";
    let huge_twice = [b"K\x00".as_slice(), huge, huge, b"\x86K\x00K\x00\x86"].concat();
    let huge_stride = [b"K\x00K\x09K\x01\x86".as_slice(), huge, b"K\x01\x86"].concat();
    let huge_offset = [huge.as_slice(), b"K\x01\x85K\x01\x85"].concat();
    let many_axes = [b"K\x00(".as_slice(), &b"K\x01".repeat(99), b"tK\x01\x85"].concat();

    let values = |tail: &[u8]| read(&tensor(tail)).map(|a| a["a"].values.clone());
    assert_eq!(values(b"K\x00K\x02\x85K\x01\x85"), Ok(vec![1.0, 2.0]));
    assert_eq!(values(b"K\x01K\x02\x85K\x00\x85"), Ok(vec![2.0, 2.0]));
    assert_eq!(values(b"K\x09K\x00\x85K\x01\x85"), Ok(vec![]));
    // The stride of an axis of size 1 is never taken.
    let idle = [b"K\x00K\x01K\x02\x86".as_slice(), huge, b"K\x01\x86"].concat();
    assert_eq!(values(&idle), Ok(vec![1.0, 2.0]));

    refused(
        &tensor(b"K\x00K\x03\x85K\x01\x85"),
        "needs 3 elements of a storage that has 2",
    );
    refused(&tensor(b"K\x01K\x02\x85K\x01\x85"), "needs 3 elements");
    refused(&tensor(b"K\x00J\xff\xff\xff\xff\x85K\x01\x85"), "negative");
    refused(&tensor(b"K\x01K\x02\x85J\xff\xff\xff\xff\x85"), "negative");
    refused(&tensor(b"K\x00K\x02\x85)"), "does not take");
    refused(&tensor(b"K\x00J\xff\xff\xff\x7f\x85K\x00\x85"), "more values than");
    refused(&tensor(&huge_twice), "larger than any memory");
    refused(&tensor(&huge_stride), "larger than any memory");
    refused(&tensor(&huge_offset), "needs 9223372036854775808 elements");
    refused(&tensor(&many_axes), "99 axes");
    let outside = b"ctorch._utils\n_rebuild_tensor\n((\x8c\x07storagectorch\nFloatStorage\n\x8c\x010\x8c\x03cpuK\x02tQK\x00K\x02\x85K\x01\x85tR";
    refused(&pickle(outside), "outside of the file");
}

#[test]
fn lengths_and_nesting_without_end_are_errors() {
    refused(&pickle(b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f"), "ends early");
    refused(&pickle(b"B\xff\xff\xff\xff"), "ends early");
    refused(&pickle(b"\x8b\xff\xff\xff\xff"), "ends early");

    // Dictionaries in each other: 2^depth paths, a million deep, without end.
    let doubled = |depth: u8| {
        let mut body = b"}\x94".to_vec();
        for i in 0..depth {
            let h = [b'h', i];
            body.extend([b"0}\x94\x8c\x01a".as_slice(), &h, b"s\x8c\x01b", &h, b"s"].concat());
        }
        pickle(&body)
    };
    refused(&doubled(25), "again and again");
    refused(&doubled(40), "nested too deeply");
    let deep = [b"}\x8c\x01a".repeat(1_000_000), b"N".to_vec(), b"s".repeat(1_000_000)].concat();
    refused(&pickle(&deep), "nested too deeply");
    // One that holds itself.
    refused(&pickle(b"}\x94\x8c\x01bh\x00s"), "again and again");
    let tuples = [b")".to_vec(), b"\x85".repeat(1_000_000)].concat();
    refused(&pickle(&tuples), "no named arrays");
    let inner = b"\x80\x04}\x94\x8c\x05modelh\x00s.";
    refused(inner, "again and again");

    // One list copied into many dictionaries.
    let mut copies = [b"](".as_slice(), &b"\x8c\x01aN\x86".repeat(500), b"e\x94"].concat();
    for _ in 0..500 {
        copies.extend(b"ccollections\nOrderedDict\nh\x00\x85R0");
    }
    refused(&pickle(&copies), "copies");
    refused(&pickle(&b"]\x94".repeat(5_000_000)), "too");
    refused(&pickle(&b"(".repeat(5_000_000)), "too much");
}

#[test]
fn two_arrays_of_one_name_are_an_error() {
    let array = b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02u1\x85RC\x01\x07\x86R";
    let twice = [b"\x80\x04}\x8c\x01a".as_slice(), array, b"s\x8c\x01a", array, b"s."].concat();
    refused(&twice, "two arrays named a");
    let joined = [
        b"\x80\x04}\x8c\x03a/b".as_slice(),
        array,
        b"s\x8c\x01a}\x8c\x01b",
        array,
        b"ss.",
    ]
    .concat();
    refused(&joined, "two arrays named a/b");
    assert_eq!(read(&pickle(array)).unwrap()["a"].values, [7.0]);
}

#[test]
fn other_files_are_errors_that_say_what_to_do() {
    let text = |bytes: &[u8]| read(bytes).unwrap_err();
    assert!(text(b"").contains("no weight file of a known kind"));
    assert!(text(b"<!DOCTYPE html>").contains("no weight file of a known kind"));
    assert!(text(b"\x80\x02K\x01.").contains("no named arrays"));
    assert!(text(b"PK\x03\x04").contains("zip file"));
    let script = read_state_dict(&fixture("script.pt")).unwrap_err().to_string();
    assert!(
        script.contains("TorchScript") && script.contains("torch.jit.load"),
        "{script}"
    );
    let object = pickle(b"cnumpy\ndtype\n\x8c\x02O8\x85R");
    assert!(text(&object).contains("numpy's type \"O8\""));
    let infinite = pickle(b"cnumpy.core.multiarray\nscalar\ncnumpy\ndtype\n\x8c\x02f2\x85RC\x02\x00\x7c\x86R");
    assert!(text(&infinite).contains("array a holds inf"));
    let missing = read_state_dict(Path::new("no/such/file")).unwrap_err();
    assert!(missing.to_string().contains("no/such/file: cannot read"));
    assert!(read_state_dict(&std::env::temp_dir()).is_err());
}
