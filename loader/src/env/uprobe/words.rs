//! Where the argument words of Go functions are (`sargN`), as far as the function table tells: it is in every binary, so no debug
//! information is read for them but for functions with more words than the table describes.

use super::Sites;
use crate::env::go::{Types, word_place};
use inspect::go::{GoFunc, abi, shape};
use lang::env::{ArgumentWords, ParamPlace, SignatureOf, Stop, WordPlace};

impl Sites<'_> {
    /// The places of the argument words, if the script asks for other ones than the first in their registers.
    pub(super) fn words(&self, function: &GoFunc<'_>, stop: Stop) -> ArgumentWords {
        let in_order = ArgumentWords::InOrder;
        let (Some(last), Stop::Entry | Stop::EntryAtStackCheck) = (self.wants.word, stop) else {
            return in_order;
        };
        let Some((places, all)) = function.argument_words() else { return in_order };
        let asked = usize::from(last) + 1;
        if !all
            && places.len() < asked
            && let Some(places) = self.typed_words(function)
        {
            return ArgumentWords::Known { places, all: true, alone: self.wants.alone && self.alone };
        }
        let first: Option<Vec<WordPlace>> =
            places.iter().take(asked).map(|place| word_place(*place)).collect();
        let Some(first) = first else { return in_order };
        let is_in_order = |(n, place): (usize, &shape::WordPlace)| *place == self.nth_word(function, n);
        if first.len() == asked && places.iter().take(asked).enumerate().all(is_in_order) {
            return in_order;
        }
        ArgumentWords::Known { places: first, all, alone: self.wants.alone && self.alone }
    }

    /// The places of the argument words by the types of the parameters; `None` where those are not known.
    fn typed_words(&self, function: &GoFunc<'_>) -> Option<Vec<WordPlace>> {
        let types = Types { binary: self.name, go: self.go?, structures: self.known.go };
        let SignatureOf::Known(signature) = types.signature(function, false) else { return None };
        // The dictionary of a generic function is an argument word and no parameter.
        if function.name().contains('[') {
            return None;
        }
        let mut words = Vec::new();
        for param in &signature.params {
            match &param.place {
                ParamPlace::Registers(pieces) => {
                    words.extend(pieces.iter().filter_map(|piece| piece.register).map(WordPlace::Register));
                }
                ParamPlace::Stack(offset) => {
                    let count = param.ty.size().div_ceil(8);
                    words.extend((0..count).map(|n| WordPlace::Stack(offset + 8 * n)));
                }
                // Go hands over copies in place.
                ParamPlace::Behind(_) => return None,
            }
        }
        Some(words)
    }

    /// Where a word is if all before it are in registers as far as those reach.
    fn nth_word(&self, function: &GoFunc<'_>, n: usize) -> shape::WordPlace {
        let registers = match function.abi() {
            abi::Abi::Registers => abi::integer_registers(self.file.arch()).len(),
            abi::Abi::Stack => 0,
        };
        match n.checked_sub(registers) {
            None => shape::WordPlace::Register(n),
            Some(n) => shape::WordPlace::Stack(abi::STACK_ARGUMENTS + 8 * n as u32),
        }
    }
}
