//! A pickle is a program for a small stack machine. This is that machine, for the operations that pickles of weights are
//! made of (protocols 2 to 5), without the one thing that makes it dangerous: it calls nothing but [`objects::call`].

use std::borrow::Cow;
use std::collections::HashMap;

use super::global::Global;
use super::heap::{Heap, Id, MAX_VALUES, Storage, Value};
use super::objects;
use super::printable::printable;

/// The operation at the start of every pickle since protocol 2; its argument is the protocol.
pub(in crate::weights) const PROTO: u8 = 0x80;

const CUT_SHORT: &str = "its pickle ends early; an incomplete download or copy? Fetch it again";

/// What a pickle made.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    pub(super) heap: Heap<'a>,
    pub(super) root: Id,
}

/// Reads one pickle and leaves `input` behind it.
pub(super) fn read<'a>(input: &mut &'a [u8]) -> Result<Pickle<'a>, String> {
    let mut machine = Machine {
        heap: Heap::default(),
        stack: Vec::new(),
        marks: Vec::new(),
        memo: HashMap::new(),
        may_copy: input.len(),
        input,
    };
    if machine.byte()? != PROTO || !(2..=5).contains(&machine.byte()?) {
        return Err("no pickle of protocol 2 to 5 where one is expected".into());
    }
    loop {
        if let Some(root) = machine.step()? {
            *input = machine.input;
            let heap = machine.heap;
            return Ok(Pickle { heap, root });
        }
    }
}

struct Machine<'a> {
    heap: Heap<'a>,
    stack: Vec<Id>,
    /// Lengths the stack had at each mark.
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
    /// Bytes and entries that may still be copied. What is not copied is as large as its operation.
    may_copy: usize,
    input: &'a [u8],
}

impl<'a> Machine<'a> {
    /// Does one operation; the last one gives the result.
    fn step(&mut self) -> Result<Option<Id>, String> {
        let operation = self.byte()?;
        match operation {
            PROTO => drop(self.byte()?),
            0x95 => drop(self.take(8)?), // FRAME: a hint for buffering
            b'.' => return self.pop().map(Some),

            b'N' => self.push(Value::None)?,
            0x88 => self.push(Value::Bool(true))?,
            0x89 => self.push(Value::Bool(false))?,
            b'J' => {
                let n = i32::from_le_bytes(self.fixed()?);
                self.push(Value::Int(n.into()))?;
            }
            b'K' => {
                let n = self.byte()?;
                self.push(Value::Int(n.into()))?;
            }
            b'M' => {
                let n = u16::from_le_bytes(self.fixed()?);
                self.push(Value::Int(n.into()))?;
            }
            0x8a => {
                let bytes = self.counted::<1>()?;
                self.push(long(bytes))?;
            }
            0x8b => {
                let bytes = self.counted::<4>()?;
                self.push(long(bytes))?;
            }
            b'G' => {
                self.take(8)?;
                self.push(Value::Number)?;
            }

            0x8c => self.text::<1>()?,
            b'X' => self.text::<4>()?,
            0x8d => self.text::<8>()?,
            b'C' | b'U' => self.bytes::<1>()?,
            b'B' | b'T' => self.bytes::<4>()?,
            0x8e | 0x96 => self.bytes::<8>()?,

            b')' => self.push(Value::Tuple(Vec::new()))?,
            0x85 => self.tuple(1)?,
            0x86 => self.tuple(2)?,
            0x87 => self.tuple(3)?,
            b't' => {
                let items = self.pop_to_mark()?;
                self.push(Value::Tuple(items))?;
            }
            b']' => self.push(Value::List(Vec::new()))?,
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.pop_to_mark()?;
                self.append(items)?;
            }
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.pop_to_mark()?;
                self.set_items(items)?;
            }

            b'(' => {
                bounded(self.marks.len())?;
                self.marks.push(self.stack.len());
            }
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => self.stack.push(self.top()?),
            b'q' => {
                let place = self.byte()?;
                self.remember(place.into())?;
            }
            b'r' => {
                let place = u32::from_le_bytes(self.fixed()?);
                self.remember(place)?;
            }
            0x94 => self.remember(self.memo.len() as u32)?,
            b'h' => {
                let place = self.byte()?;
                self.recall(place.into())?;
            }
            b'j' => {
                let place = u32::from_le_bytes(self.fixed()?);
                self.recall(place)?;
            }

            b'c' => {
                let module = self.line()?;
                let name = self.line()?;
                self.push(Value::Global(Global::named(module, name)?))?;
            }
            // INST: a name as in GLOBAL, called at once. No weight file has it, but the name tells.
            b'i' => {
                let module = self.line()?;
                let name = self.line()?;
                Global::named(module, name)?;
                return Err(unknown(operation));
            }
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let text = |id| self.heap.text(id).ok_or("its pickle has a name that is no text");
                let global = Global::named(text(module)?, text(name)?)?;
                self.push(Value::Global(global))?;
            }
            // REDUCE calls a function, NEWOBJ a class.
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let function = self.pop()?;
                let made = objects::call(&mut self.heap, function, arguments, &mut self.may_copy)?;
                self.stack.push(made);
            }
            b'b' => {
                let state = self.pop()?;
                let object = self.top()?;
                objects::set_state(&mut self.heap, object, state)?;
            }
            b'Q' => {
                let reference = self.pop()?;
                let storage = storage(&self.heap, reference)?;
                self.push(Value::Storage(storage))?;
            }
            _ => return Err(unknown(operation)),
        }
        Ok(None)
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.input.split_at_checked(count).ok_or(CUT_SHORT)?;
        self.input = rest;
        Ok(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.input.split_first_chunk().ok_or(CUT_SHORT)?;
        self.input = rest;
        Ok(*taken)
    }

    /// A length of `N` bytes, then so many bytes.
    fn counted<const N: usize>(&mut self) -> Result<&'a [u8], String> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(&self.fixed::<N>()?);
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| CUT_SHORT)?;
        self.take(length)
    }

    fn line(&mut self) -> Result<&'a str, String> {
        let length = self.input.iter().position(|&b| b == b'\n');
        let line = self.take(length.ok_or(CUT_SHORT)?)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| "its pickle has a name that is no text".into())
    }

    fn text<const N: usize>(&mut self) -> Result<(), String> {
        let text = std::str::from_utf8(self.counted::<N>()?).map_err(|_| "its pickle has a text that is no UTF-8")?;
        self.push(Value::Text(text))
    }

    fn bytes<const N: usize>(&mut self) -> Result<(), String> {
        let bytes = self.counted::<N>()?;
        self.push(Value::Bytes(Cow::Borrowed(bytes)))
    }

    fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        let id = self.heap.add(value)?;
        self.stack.push(id);
        Ok(())
    }

    fn top(&self) -> Result<Id, String> {
        let below = self.marks.last().copied().unwrap_or(0);
        let top = self.stack[below..].last();
        top.copied().ok_or_else(empty)
    }

    fn pop(&mut self) -> Result<Id, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or_else(empty)?;
        Ok(self.stack.split_off(mark))
    }

    fn tuple(&mut self, count: usize) -> Result<(), String> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items))
    }

    fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let top = self.top()?;
        match self.heap.get_mut(top) {
            Value::List(list) => list.extend(items),
            _ => return Err("its pickle appends to what is no list".into()),
        }
        Ok(())
    }

    /// Keys and values in turn.
    fn set_items(&mut self, items: Vec<Id>) -> Result<(), String> {
        let top = self.top()?;
        let Value::Dict(entries) = self.heap.get_mut(top) else {
            return Err("its pickle sets items of what is no dictionary".into());
        };
        let (pairs, []) = items.as_chunks::<2>() else {
            return Err("its pickle has a key without a value".into());
        };
        entries.extend(pairs.iter().map(|&[key, value]| (key, value)));
        Ok(())
    }

    fn remember(&mut self, place: u32) -> Result<(), String> {
        let top = self.top()?;
        bounded(self.memo.len())?;
        self.memo.insert(place, top);
        Ok(())
    }

    fn recall(&mut self, place: u32) -> Result<(), String> {
        let found = self.memo.get(&place);
        self.stack
            .push(*found.ok_or("its pickle recalls what it has not stored")?);
        Ok(())
    }
}

/// An integer in as few bytes as it needs, little-endian, signed.
fn long<'a>(bytes: &[u8]) -> Value<'a> {
    let Some(&last) = bytes.last() else {
        return Value::Int(0);
    };
    let sign = if last & 0x80 == 0 { 0 } else { 0xff };
    let mut all = [sign; 16];
    match all.get_mut(..bytes.len()) {
        Some(low) => low.copy_from_slice(bytes),
        None => return Value::Number,
    }
    Value::Int(i128::from_le_bytes(all))
}

/// torch's reference to a storage: `('storage', type, key, location, count)`, in old files with the
/// part that is meant, `(key, start, count)`, or None.
fn storage<'a>(heap: &Heap<'a>, reference: Id) -> Result<Storage<'a>, String> {
    let wrong = || "its pickle refers to something outside that is no storage of torch".to_string();
    let [kind, class, key, _location, count, rest @ ..] = heap.items(reference).ok_or_else(wrong)? else {
        return Err(wrong());
    };
    if heap.text(*kind) != Some("storage") {
        return Err(wrong());
    }
    let dtype = objects::storage_dtype(heap, *class).ok_or_else(wrong)?;
    let part = match rest {
        [] => None,
        [part] if matches!(heap.get(*part), Value::None) => None,
        [part] => {
            let [_key, start, count] = heap.items(*part).ok_or_else(wrong)? else {
                return Err(wrong());
            };
            let start = heap.count(*start).ok_or_else(wrong)?;
            Some((start, heap.count(*count).ok_or_else(wrong)?))
        }
        _ => return Err(wrong()),
    };
    Ok(Storage {
        key: heap.text(*key).ok_or_else(wrong)?,
        dtype,
        count: heap.count(*count).ok_or_else(wrong)?,
        part,
    })
}

/// One byte of a file must not be worth many of memory without end.
fn bounded(count: usize) -> Result<(), String> {
    if count >= MAX_VALUES {
        return Err("its pickle remembers too much for a weight file; it may be hostile".into());
    }
    Ok(())
}

fn empty() -> String {
    "its pickle takes from an empty stack; the file is damaged".into()
}

fn unknown(operation: u8) -> String {
    let name = char::from(operation);
    let name = printable(name.encode_utf8(&mut [0; 4]));
    format!("its pickle has the operation {operation:#04x} {name}, which no weight file has; it may be hostile")
}
