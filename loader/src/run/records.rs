//! What a record of a program makes happen: something is printed, a map is printed or changed, the run ends.

use super::{Run, RunError, command};
use crate::maps;
use crate::output::report::ScriptMessage;
use crate::output::strftime;
use crate::sys::clock;
use crate::value::{Side, Value};
use codegen::object::{Object, Record};
use lang::format::{Format, Piece};
use lang::hir::{Action, Severity};
use std::ops::ControlFlow;

impl Run<'_> {
    pub(super) fn handle(&mut self, bytes: &[u8]) -> ControlFlow<RunError> {
        match self.record(bytes) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }

    /// Acts on a record.
    fn record(&mut self, bytes: &[u8]) -> Result<(), RunError> {
        let id =
            bytes.first_chunk().map(|head| u64::from_ne_bytes(*head)).and_then(|id| usize::try_from(id).ok());
        let Some(record) = id.and_then(|id| self.object.records.get(id)) else { return Ok(()) };
        if self.enough() && record.action != Action::Exit {
            return Ok(());
        }
        let args = self.fields(record, bytes)?;
        args.iter().for_each(|value| self.note_processes(value));
        match &record.action {
            Action::Printf(format) => self.sink.printf(format, &args)?,
            Action::Print => {
                if let Some(value) = args.first() {
                    self.sink.value(value)?;
                }
            }
            Action::PrintEntry(map) => match args.as_slice() {
                [_, value] => self.sink.entry(&maps::MapResult::Value(value.clone()))?,
                _ => self.print_entry(map.0 as usize, record, bytes)?,
            },
            Action::Report(severity, format) => {
                self.sink.report(&message(self.object, *severity, record), format, &args)?;
            }
            Action::Cat(format) => {
                let name = self.sink.formatted(format, &args);
                let most = self.program.config.max_cat_bytes;
                match command::read_file(&name, most) {
                    Ok(content) => self.sink.content("cat", &content)?,
                    Err(error) => self.sink.failed(&error)?,
                }
            }
            Action::System(format) => {
                let command = self.sink.formatted(format, &args);
                // What was printed before stands before what the command prints on its own.
                self.sink.flush()?;
                let (output, failed) = command::run_shell(&command);
                self.sink.content("syscall", &output)?;
                if let Some(error) = failed {
                    self.sink.failed(&error)?;
                }
            }
            Action::Packet(file) => {
                if let [Value::Int(at), Value::Int(whole), Value::Buffer(bytes)] = args.as_slice() {
                    let at = self.clock.unix_nanos(at.value() as u64);
                    if let Err(error) = self.packets.write(file, at, whole.value() as u64, bytes) {
                        self.sink.failed(&error)?;
                    }
                }
                return Ok(());
            }
            Action::PrintMap { map, top, div } => return self.print_map(map.0 as usize, *top, *div),
            Action::Clear(map) => return Ok(self.map(map.0 as usize).clear()?),
            Action::Zero(map) => return Ok(self.map(map.0 as usize).zero()?),
            Action::Exit => {
                let code = match args.first() {
                    Some(Value::Int(code)) => code.value(),
                    _ => 0,
                };
                // The low 8 bits, as exit(3) takes them.
                self.exit.get_or_insert(code as u8);
                return Ok(());
            }
            Action::Return => {
                if let [Value::Int(value)] = args.as_slice() {
                    self.returned.get_or_insert(value.value() as i64);
                }
                return Ok(());
            }
            Action::Unwatch => return self.unwatch(record, &args),
            Action::Time(format) => self.sink.time(&strftime::format(format, clock::unix_nanos()))?,
            Action::Join(separator) => {
                let parts: Vec<&[u8]> = args
                    .iter()
                    .filter_map(|v| match v {
                        Value::Text(text) => Some(text.bytes.as_slice()),
                        _ => None,
                    })
                    .take_while(|text| !text.is_empty())
                    .collect();
                self.sink.join(&parts, separator)?;
            }
        }
        self.printed += 1;
        Ok(())
    }

    /// Ends the watchpoints on the address that the record brings.
    fn unwatch(&mut self, record: &Record, args: &[Value]) -> Result<(), RunError> {
        let [Value::Int(address)] = args else { return Ok(()) };
        let address = address.value() as u64;
        let before = self.watched.len();
        self.watched.retain(|watched| watched.address != address);
        if self.watched.len() == before && self.options.warnings {
            let text = format!("no watchpoint has the address {address:#x}");
            let format = Format { pieces: vec![Piece::Text(text.into_bytes())] };
            self.sink.report(&message(self.object, Severity::Warning, record), &format, &[])?;
        }
        Ok(())
    }

    /// Prints an entry that is read now; a missing one as one that nothing was accounted in.
    fn print_entry(&mut self, index: usize, record: &Record, bytes: &[u8]) -> Result<(), RunError> {
        let map = self.map(index);
        let key = record.fields.first().map_or(&[][..], |field| {
            let at = field.offset as usize;
            bytes.get(at..at + field.ty.size() as usize).unwrap_or(&[])
        });
        if let Some(result) = map.get(key, &self.decoder)? {
            self.sink.entry(&result)?;
        }
        Ok(())
    }

    fn fields(&self, record: &Record, bytes: &[u8]) -> Result<Vec<Value>, RunError> {
        record
            .fields
            .iter()
            .map(|field| {
                let from = (field.offset as usize).min(bytes.len());
                let to = (from + field.ty.size() as usize).min(bytes.len());
                Ok(self.decoder.value(&field.ty, &bytes[from..to])?)
            })
            .collect()
    }

    /// Learns about processes whose addresses will be printed, while they are there.
    fn note_processes(&self, value: &Value) {
        match value {
            Value::UserSymbol { pid, .. } | Value::GoFunction { pid, .. } => self.symbols.note_process(*pid),
            Value::Stack(stack) if stack.kind == Side::User => self.symbols.note_process(stack.pid),
            Value::Dynamic { ty, .. } | Value::DynamicInt64 { ty, .. } | Value::GoType(ty) => {
                self.symbols.note_process(ty.pid);
            }
            Value::GoError(chain) => chain.iter().for_each(|error| self.symbols.note_process(error.ty.pid)),
            Value::Tuple(of) | Value::Array(of) => of.iter().for_each(|value| self.note_processes(value)),
            Value::Struct(of) => of.iter().for_each(|(_, value)| self.note_processes(value)),
            _ => {}
        }
    }
}

/// A message about the statement that made the record.
fn message<'o>(object: &'o Object, severity: Severity, record: &Record) -> ScriptMessage<'o> {
    let Object { source_name, source, imported, .. } = object;
    let part = imported.part(source_name, source, record.span.start);
    ScriptMessage { severity, file: part.name, source: part.text, span: part.span(record.span) }
}
