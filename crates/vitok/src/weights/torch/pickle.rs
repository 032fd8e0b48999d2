//! A pickle is a program for a small stack machine. This is that machine, for the operations that pickles of weights are
//! made of (protocols 2 to 5), without the one thing that makes it dangerous: it calls nothing but [`objects::call`].

use super::global::Global;
use super::heap::{Heap, Id, Storage, Value};
use super::machine::{Machine, bounded};
use super::objects;
use super::printable::printable;

/// The operation at the start of every pickle since protocol 2; its argument is the protocol.
pub(in crate::weights) const PROTO: u8 = 0x80;

/// What a pickle made.
#[derive(Debug)]
pub(super) struct Pickle<'a> {
    pub(super) heap: Heap<'a>,
    pub(super) root: Id,
}

/// Reads one pickle and leaves `input` behind it.
pub(super) fn read<'a>(input: &mut &'a [u8]) -> Result<Pickle<'a>, String> {
    let mut machine = Machine::new(input);
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

fn unknown(operation: u8) -> String {
    let name = char::from(operation);
    let name = printable(name.encode_utf8(&mut [0; 4]));
    format!("its pickle has the operation {operation:#04x} {name}, which no weight file has; it may be hostile")
}
