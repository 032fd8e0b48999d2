//! The stack machine that a pickle is a program for: its state, and what its operations are made of.

use std::borrow::Cow;
use std::collections::HashMap;

use super::heap::{Heap, Id, MAX_VALUES, Value};

const CUT_SHORT: &str = "its pickle ends early; an incomplete download or copy? Fetch it again";

/// The machine's state.
pub(super) struct Machine<'a> {
    pub(super) heap: Heap<'a>,
    pub(super) stack: Vec<Id>,
    /// Lengths the stack had at each mark.
    pub(super) marks: Vec<usize>,
    pub(super) memo: HashMap<u32, Id>,
    /// Bytes and entries that may still be copied. What is not copied is as large as its operation.
    pub(super) may_copy: usize,
    pub(super) input: &'a [u8],
}

impl<'a> Machine<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Self {
            heap: Heap::default(),
            stack: Vec::new(),
            marks: Vec::new(),
            memo: HashMap::new(),
            may_copy: input.len(),
            input,
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, String> {
        Ok(self.take(1)?[0])
    }

    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.input.split_at_checked(count).ok_or(CUT_SHORT)?;
        self.input = rest;
        Ok(taken)
    }

    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], String> {
        let (taken, rest) = self.input.split_first_chunk().ok_or(CUT_SHORT)?;
        self.input = rest;
        Ok(*taken)
    }

    /// A length of `N` bytes, then so many bytes.
    pub(super) fn counted<const N: usize>(&mut self) -> Result<&'a [u8], String> {
        let mut length = [0; 8];
        length[..N].copy_from_slice(&self.fixed::<N>()?);
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| CUT_SHORT)?;
        self.take(length)
    }

    /// Text up to the next line feed.
    pub(super) fn line(&mut self) -> Result<&'a str, String> {
        let length = self.input.iter().position(|&b| b == b'\n');
        let line = self.take(length.ok_or(CUT_SHORT)?)?;
        self.take(1)?;
        std::str::from_utf8(line).map_err(|_| "its pickle has a name that is no text".into())
    }

    /// Pushes a text that follows its length of `N` bytes.
    pub(super) fn text<const N: usize>(&mut self) -> Result<(), String> {
        let text = std::str::from_utf8(self.counted::<N>()?).map_err(|_| "its pickle has a text that is no UTF-8")?;
        self.push(Value::Text(text))
    }

    /// Pushes bytes that follow their length of `N` bytes.
    pub(super) fn bytes<const N: usize>(&mut self) -> Result<(), String> {
        let bytes = self.counted::<N>()?;
        self.push(Value::Bytes(Cow::Borrowed(bytes)))
    }

    pub(super) fn push(&mut self, value: Value<'a>) -> Result<(), String> {
        let id = self.heap.add(value)?;
        self.stack.push(id);
        Ok(())
    }

    /// The top of the stack, above the last mark.
    pub(super) fn top(&self) -> Result<Id, String> {
        let below = self.marks.last().copied().unwrap_or(0);
        let top = self.stack[below..].last();
        top.copied().ok_or_else(empty)
    }

    pub(super) fn pop(&mut self) -> Result<Id, String> {
        let top = self.top()?;
        self.stack.pop();
        Ok(top)
    }

    /// Takes everything above the last mark, and the mark.
    pub(super) fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().ok_or_else(empty)?;
        Ok(self.stack.split_off(mark))
    }

    /// Makes a tuple of the top `count` values.
    pub(super) fn tuple(&mut self, count: usize) -> Result<(), String> {
        let mut items = Vec::with_capacity(count);
        for _ in 0..count {
            items.push(self.pop()?);
        }
        items.reverse();
        self.push(Value::Tuple(items))
    }

    /// Appends to the list at the top of the stack.
    pub(super) fn append(&mut self, items: Vec<Id>) -> Result<(), String> {
        let top = self.top()?;
        match self.heap.get_mut(top) {
            Value::List(list) => list.extend(items),
            _ => return Err("its pickle appends to what is no list".into()),
        }
        Ok(())
    }

    /// Adds to the dictionary at the top of the stack; `items` are keys and values in turn.
    pub(super) fn set_items(&mut self, items: Vec<Id>) -> Result<(), String> {
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

    /// Stores the top of the stack in the memo.
    pub(super) fn remember(&mut self, key: u32) -> Result<(), String> {
        let top = self.top()?;
        bounded(self.memo.len())?;
        self.memo.insert(key, top);
        Ok(())
    }

    /// Pushes an entry of the memo.
    pub(super) fn recall(&mut self, key: u32) -> Result<(), String> {
        let found = self.memo.get(&key);
        self.stack
            .push(*found.ok_or("its pickle recalls what it has not stored")?);
        Ok(())
    }
}

/// Bounds the memo and the marks, so that a short file cannot use up the memory.
pub(super) fn bounded(count: usize) -> Result<(), String> {
    if count >= MAX_VALUES {
        return Err("its pickle remembers too much for a weight file; it may be hostile".into());
    }
    Ok(())
}

fn empty() -> String {
    "its pickle takes from an empty stack; the file is damaged".into()
}
