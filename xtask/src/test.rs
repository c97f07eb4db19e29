//! `cargo xtask test`: every check in a fixed order, the quick ones first, until one fails.

use std::cell::{Cell, OnceCell, RefCell};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::built_tests::{Kind, TestProgram};
use crate::packages::Purpose;
use crate::page::npm;
use crate::run::{bounded, cargo};
use crate::workspace::artifacts;
use crate::{bindings, built_tests, display, page, run, setup};

/// One check.
struct Step {
    name: &'static str,
    says: &'static str,
    run: fn(&Shared) -> Result<()>,
}

/// In this order. A step that needs what another one makes asks [`Shared`] for it, so each can run alone.
const STEPS: &[Step] = &[
    Step { name: "setup", says: "what is needed is installed", run: |_| setup::prepare(Purpose::Test) },
    Step { name: "format", says: "Rust is formatted", run: |_| quick(cargo(&["fmt", "--all", "--check"])) },
    Step {
        name: "page-lint",
        says: "the page is formatted and linted",
        run: |_| quick(npm(&["run", "--silent", "lint"])),
    },
    Step {
        name: "page-types",
        says: "the page's types hold",
        run: |_| quick(npm(&["run", "--silent", "check"])),
    },
    Step {
        name: "page-test",
        says: "the page's own tests",
        run: |_| quick(npm(&["run", "--silent", "test"])),
    },
    Step {
        name: "page-webview",
        says: "every screen and state of the page, in the webview",
        run: |shared| shared.twice_at_most("page-webview", || slow(page::webview_tests())),
    },
    Step { name: "page", says: "the page builds", run: Shared::page },
    Step { name: "clippy", says: "Rust is linted", run: clippy },
    Step { name: "deny", says: "licences and sources of dependencies", run: deny },
    Step {
        name: "build",
        says: "programs, tests and examples compile",
        run: |shared| shared.programs().map(drop),
    },
    Step {
        name: "bindings",
        says: "the page's types are the contract's",
        run: |shared| shared.programs().and_then(|_| bindings::check()),
    },
    Step { name: "crates", says: "the crates' own tests", run: |shared| shared.run_tests(Kind::Crate) },
    Step {
        name: "docs",
        says: "the examples in the documentation",
        run: |_| slow(cargo(&["test", "--workspace", "--doc", "--quiet"])),
    },
    Step {
        name: "integration",
        says: "the parts together, on real servers",
        run: |shared| shared.run_tests(Kind::Integration),
    },
    Step {
        name: "window",
        says: "end to end in the real window",
        run: |shared| shared.run_tests(Kind::Window),
    },
];

/// How many test programs of one run may fail once and be run again. Their tests watch real servers under traffic and
/// hold samples against the truth, on machines whose load nobody knows; one that fails twice is broken, and where
/// several fail something is.
const SECOND_CHANCES: usize = 3;

/// Which steps to run.
#[derive(Debug, Default)]
pub(crate) struct Options {
    only: Vec<String>,
    skip: Vec<String>,
    list: bool,
}

impl Options {
    /// Reads the words after `cargo xtask test`.
    ///
    /// # Errors
    /// A sentence on the word that can't be used.
    pub(crate) fn parse(words: &[&str]) -> Result<Self, String> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let list = match *word {
                "--only" => &mut options.only,
                "--skip" => &mut options.skip,
                "--list" => {
                    options.list = true;
                    continue;
                }
                other => return Err(format!("{other:?} is no option of test")),
            };
            let name = words.next().ok_or_else(|| format!("{word} wants the name of a step"))?;
            if !STEPS.iter().any(|step| step.name == *name) {
                let names: Vec<_> = STEPS.iter().map(|step| step.name).collect();
                return Err(format!("{name:?} is no step; the steps are {}", names.join(", ")));
            }
            list.push((*name).to_owned());
        }
        Ok(options)
    }

    fn wants(&self, step: &Step) -> bool {
        let named = |list: &[String]| list.iter().any(|name| name == step.name);
        (self.only.is_empty() || named(&self.only)) && !named(&self.skip)
    }
}

/// Runs the steps, stops at the first failure, and says what was done.
pub(crate) fn run(options: &Options) -> Result<()> {
    if options.list {
        for step in STEPS {
            eprintln!("{:<12} {}", step.name, step.says);
        }
        return Ok(());
    }
    let shared = Shared::default();
    let wanted: Vec<&Step> = STEPS.iter().filter(|step| options.wants(step)).collect();
    let begun = Instant::now();
    let mut done: Vec<(&Step, Duration, bool)> = Vec::new();
    let mut failure = None;
    for step in &wanted {
        eprintln!("\n━━ {}: {}", step.name, step.says);
        let step_begun = Instant::now();
        let result = (step.run)(&shared);
        done.push((step, step_begun.elapsed(), result.is_ok()));
        if let Err(error) = result {
            eprintln!("\n{error:#}");
            failure = Some(step.name);
            break;
        }
    }

    eprintln!("\n━━ summary");
    for (step, took, well) in &done {
        eprintln!(
            "{} {:<12} {:>7.1} s  {}",
            if *well { "ok    " } else { "FAILED" },
            step.name,
            took.as_secs_f64(),
            step.says
        );
    }
    for step in wanted.iter().skip(done.len()) {
        eprintln!("not run {:<11}         {}", step.name, step.says);
    }
    for program in shared.run_twice.borrow().iter() {
        eprintln!("flaky  {program} failed once and passed when it was run again; its first output is above");
    }
    eprintln!("in all {:.1} min", begun.elapsed().as_secs_f64() / 60.0);
    match failure {
        Some(step) => bail!("{step} failed; `cargo xtask test --only {step}` runs it alone"),
        None => Ok(()),
    }
}

/// What several steps need and only the first of them makes.
#[derive(Default)]
struct Shared {
    page_is_built: Cell<bool>,
    programs: OnceCell<Vec<TestProgram>>,
    /// Test programs that failed first and passed then.
    run_twice: RefCell<Vec<String>>,
}

impl Shared {
    /// The page lies in `ui/dist`, where the desktop program's compilation looks for it.
    fn page(&self) -> Result<()> {
        if !self.page_is_built.get() {
            page::build()?;
            self.page_is_built.set(true);
        }
        Ok(())
    }

    fn programs(&self) -> Result<&[TestProgram]> {
        if self.programs.get().is_none() {
            self.page()?;
            let _filled = self.programs.set(built_tests::build()?);
        }
        Ok(self.programs.get().map(Vec::as_slice).unwrap_or_default())
    }

    /// Runs test programs a second time where they fail, as long as there are second chances.
    fn twice_at_most(&self, name: &str, run: impl Fn() -> Result<()>) -> Result<()> {
        let Err(error) = run() else { return Ok(()) };
        if self.run_twice.borrow().len() == SECOND_CHANCES {
            return Err(error);
        }
        eprintln!("\n{error:#}\n\n── {name}, once more");
        run()?;
        self.run_twice.borrow_mut().push(name.to_owned());
        Ok(())
    }

    fn run_tests(&self, kind: Kind) -> Result<()> {
        if kind == Kind::Window {
            std::fs::create_dir_all(artifacts())?;
        }
        let mut ran = 0;
        for program in self.programs()?.iter().filter(|program| program.kind == kind) {
            eprintln!("\n── {}", program.name);
            let run = || match kind {
                // One window at a time: several would starve each other where there is no graphics card.
                Kind::Window => program.run(Some(display::virtual_display("env")), &["--test-threads=1"]),
                Kind::Crate | Kind::Integration => program.run(None, &[]),
            };
            self.twice_at_most(&program.name, run)?;
            ran += 1;
        }
        if ran == 0 {
            bail!("there are no such tests, so nothing was shown");
        }
        Ok(())
    }
}

fn clippy(shared: &Shared) -> Result<()> {
    shared.page()?;
    slow(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]))
}

fn deny(_: &Shared) -> Result<()> {
    setup::install_cargo_deny()?;
    let Some(program) = setup::cargo_deny() else { bail!("cargo-deny was installed and is not there") };
    let mut check = run::command(program);
    // Errors alone: duplicates are warnings, and most of the many come with the webview.
    check.args(["--log-level", "error", "check", "licenses", "bans", "sources"]);
    quick(check)
}

fn quick(mut command: Command) -> Result<()> {
    bounded(&mut command, Duration::from_secs(10 * 60))
}

fn slow(mut command: Command) -> Result<()> {
    bounded(&mut command, Duration::from_secs(60 * 60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(words: &[&str]) -> Vec<&'static str> {
        let options = Options::parse(words).expect("options that exist");
        STEPS.iter().filter(|step| options.wants(step)).map(|step| step.name).collect()
    }

    #[test]
    fn steps_are_chosen_by_name() {
        assert_eq!(chosen(&[]).len(), STEPS.len());
        assert_eq!(chosen(&["--only", "window", "--only", "format"]), ["format", "window"]);
        assert!(!chosen(&["--skip", "clippy"]).contains(&"clippy"));
    }

    #[test]
    fn a_step_that_does_not_exist_is_refused_with_the_ones_that_do() {
        let problem = Options::parse(&["--only", "windows"]).expect_err("no such step");
        assert!(problem.contains("\"windows\" is no step") && problem.contains("window"), "{problem}");
        assert!(Options::parse(&["--only"]).is_err());
        assert!(Options::parse(&["--fast"]).is_err());
    }
}
