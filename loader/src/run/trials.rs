//! `gotrace test` and `gotrace bench`: runs the probes of these kinds one after the other, between `begin` and `end`, each as a run of its
//! own, and tells how they ended. Nothing is attached.

use super::{Ended, Run, RunError, Script, cannot_run, test_run};
use crate::events::Events;
use crate::output::sink::{Sink, TextSink};
use crate::output::trial::{Benchmark, Test};
use crate::sys::bpf;
use lang::hir::{Attach, Probe};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// Runs of a benchmark after which the time is looked at and its records are thrown away.
const BATCH: u64 = 1000;
/// How long a benchmark runs at least.
const LONG_ENOUGH: Duration = Duration::from_millis(20);

impl<'a> Run<'a> {
    /// Runs the tests and benchmarks that the program has. The code is 1 when a test failed, or a signal came before all had run.
    pub(super) fn trials(&mut self, events: &mut Events) -> Result<Ended, RunError> {
        self.run_once(|attach| matches!(attach, Attach::Begin))?;
        self.drain_all(events)?;
        let passed = self.exit.is_none() && self.tests(events)? && self.benchmarks(events)?;
        self.run_once(|attach| matches!(attach, Attach::End))?;
        self.drain_all(events)?;
        self.report_lost()?;
        self.report_errors()?;
        Ok(Ended { code: self.exit.unwrap_or(u8::from(!passed)), child: None })
    }

    /// Runs the tests. Gives whether all have passed.
    fn tests(&mut self, events: &mut Events) -> Result<bool, RunError> {
        let tests = self.of_kind(|attach| matches!(attach, Attach::Test));
        if tests.is_empty() {
            return Ok(true);
        }
        self.sink.tests(tests.len())?;
        let mut ended = Vec::new();
        for (probe, program) in &tests {
            if events.signal_is_waiting() {
                break;
            }
            let test = self.test(probe, program, events)?;
            self.sink.test(&test)?;
            self.sink.flush()?;
            ended.push(test);
        }
        self.sink.tests_done(&ended)?;
        Ok(ended.len() == tests.len() && ended.iter().all(|test| test.passed))
    }

    /// Runs a test. One whose records were lost has not passed: one of them may have said so.
    fn test(&mut self, probe: &Probe, program: &OwnedFd, events: &mut Events) -> Result<Test, RunError> {
        let mut kept = TextSink::kept(self.sink.context().clone());
        let mut run = self.apart(&mut kept);
        let start = Instant::now();
        test_run(program)?;
        let took = start.elapsed();
        run.drain_all(events)?;
        run.report_lost()?;
        let (lost, returned, exit) = (run.lost, run.returned.unwrap_or(0), run.exit.unwrap_or(0));
        if returned != 0 {
            kept.failed(&format!("the test returned {returned}"))?;
        }
        let passed = returned == 0 && exit == 0 && lost == self.lost;
        self.lost = lost;
        Ok(Test { name: name_of(probe), passed, took, output: kept.take() })
    }

    /// Runs the benchmarks. Gives whether they ran to their end: an assertion may end one.
    fn benchmarks(&mut self, events: &mut Events) -> Result<bool, RunError> {
        let benchmarks = self.of_kind(|attach| matches!(attach, Attach::Bench));
        if benchmarks.is_empty() {
            return Ok(true);
        }
        let mut measured = Vec::new();
        for (probe, program) in &benchmarks {
            if events.signal_is_waiting() || self.exit.is_some() {
                break;
            }
            measured.extend(self.benchmark(probe, program, events)?);
        }
        if !measured.is_empty() {
            self.sink.benchmarks(&measured)?;
        }
        Ok(measured.len() == benchmarks.len())
    }

    /// Runs a benchmark often enough to know what a run takes. What it prints is thrown away, unless it ends itself: then that is
    /// told, and there is no result.
    fn benchmark(
        &mut self,
        probe: &Probe,
        program: &OwnedFd,
        events: &mut Events,
    ) -> Result<Option<Benchmark>, RunError> {
        let mut kept = TextSink::kept(self.sink.context().clone());
        let mut run = self.apart(&mut kept);
        let mut benchmark = Benchmark { name: name_of(probe), runs: 0, took: Duration::ZERO };
        // The first round is not counted: caches are cold, and entries of maps are made.
        let mut counted = false;
        while benchmark.took < LONG_ENOUGH && run.exit.is_none() && !events.signal_is_waiting() {
            let took = bpf::test_runs(program.as_fd(), BATCH).map_err(cannot_run)?;
            if counted {
                benchmark.took += took;
                benchmark.runs += BATCH;
            }
            counted = true;
            run.drain_all(events)?;
        }
        run.report_lost()?;
        let (lost, exit) = (run.lost, run.exit);
        self.lost = lost;
        if let Some(code) = exit {
            self.exit = Some(code);
            let output = kept.take();
            let first = output.split(|byte| *byte == b'\n').next().unwrap_or_default();
            self.sink.failed(&format!("{} ended itself: {}", probe.name, String::from_utf8_lossy(first)))?;
            return Ok(None);
        }
        Ok((benchmark.runs > 0).then_some(benchmark))
    }

    /// A run of the same script that prints elsewhere.
    fn apart<'b>(&self, sink: &'b mut dyn Sink) -> Run<'b>
    where
        'a: 'b,
    {
        let script = Script {
            program: self.program,
            object: self.object,
            loaded: self.loaded,
            symbols: self.symbols,
            unwinding: self.unwinding,
        };
        let mut run = Run::new(script, self.options, sink);
        run.lost = self.lost;
        run
    }

    /// The programs of a kind, in the order of the script.
    fn of_kind(&self, wanted: fn(&Attach) -> bool) -> Vec<(&'a Probe, &'a OwnedFd)> {
        let programs = self.program.probes.iter().zip(&self.loaded.programs);
        programs.filter(|(probe, _)| wanted(&probe.attach)).collect()
    }
}

/// `a` of `test:a`.
fn name_of(probe: &Probe) -> String {
    probe.name.split_once(':').map_or(probe.name.as_str(), |(_, name)| name).to_owned()
}
