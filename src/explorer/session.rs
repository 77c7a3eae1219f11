//! The traffic that is explored, the corrections, and what is decided from both.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, TryRecvError};
use std::thread;

use crate::engine::{Analysis, Change, Follower, ObservedState, Options};
use crate::error::Error;
use crate::explorer::correction::Correction;
use crate::template::user_rules::Rules;

/// Captured traffic: read to its end, or followed while it grows.
pub(crate) enum Traffic {
    /// Captures that were read.
    Read(Arc<ObservedState>),
    /// A capture that grows.
    Followed(Box<Follower>),
}

/// The state of an exploration.
pub(crate) struct ExplorerSession {
    traffic: Traffic,
    options: Options,
    pub(crate) analysis: Analysis,
    /// The analysis with schemas, which a thread decides, because that takes longer than people wait for a key.
    pending: Option<Receiver<Analysis>>,
    /// Whether the rules have changed since the pending analysis began.
    is_outdated: bool,
    /// The rules file before any correction, and its name.
    rules_text: String,
    /// The rules file as it was read or written last.
    file_text: String,
    rules_name: String,
    corrections: Vec<Correction>,
    /// The corrections before each change, the last change at the end.
    history: Vec<Vec<Correction>>,
    /// The corrections that are in a file.
    written: Vec<Correction>,
}

impl ExplorerSession {
    /// Begins with traffic and the options that it is decided by. The rules of the options were read from a file with this name and
    /// this text; both are empty where there is no file.
    pub(crate) fn new(
        mut traffic: Traffic,
        options: Options,
        rules_name: &str,
        rules_text: String,
    ) -> Self {
        let analysis = decide(&mut traffic, &options);
        let mut session = Self {
            traffic,
            options,
            analysis,
            pending: None,
            is_outdated: false,
            file_text: rules_text.clone(),
            rules_text,
            rules_name: rules_name.to_owned(),
            corrections: Vec::new(),
            history: Vec::new(),
            written: Vec::new(),
        };
        session.decide_schemas();
        session
    }

    /// Adds a correction and decides again. If its rule matches nothing, all stays as it was. Earlier corrections that have no effect any
    /// more are dropped.
    ///
    /// # Errors
    ///
    /// Fails with a sentence for people if the correction has no effect.
    pub(super) fn correct(&mut self, correction: &Correction) -> Result<(), String> {
        let mut corrections = self.corrections.clone();
        corrections.retain(|earlier| !correction.replaces(earlier));
        corrections.push(correction.clone());
        let rules = self.rules(&corrections).map_err(|error| error.to_string())?;
        let before = std::mem::replace(&mut self.options.report.rules, rules);
        let analysis = decide(&mut self.traffic, &self.options);
        let endpoints = |analysis: &Analysis| -> Vec<String> {
            analysis.report.patterns.iter().map(|pattern| pattern.id.clone()).collect()
        };
        let is_unmatched = |it: &Correction| analysis.unmatched_rules.contains(&it.in_words());
        // What keeps values apart has to tell some apart.
        let is_idle = correction.separates() && endpoints(&analysis) == endpoints(&self.analysis);
        if is_idle || is_unmatched(correction) {
            self.options.report.rules = before;
            if let Traffic::Followed(follower) = &mut self.traffic {
                follower.set_report_options(self.options.report.clone());
            }
            return Err(
                "this has no effect: values of unmistakable kinds (ids, long numbers) are kept by kind, and cannot be told apart"
                    .to_owned(),
            );
        }
        let whole = corrections.len();
        corrections.retain(|it| !is_unmatched(it));
        let has_dropped = corrections.len() < whole;
        self.history.push(std::mem::replace(&mut self.corrections, corrections));
        if has_dropped {
            self.decide_again();
        } else {
            self.analysis = analysis;
            self.decide_schemas();
        }
        Ok(())
    }

    /// Takes the last change back. Gives the number of corrections that are left; `None` if there was no change.
    pub(super) fn undo(&mut self) -> Option<usize> {
        self.corrections = self.history.pop()?;
        self.decide_again();
        Some(self.corrections.len())
    }

    /// Takes over schemas that were decided in the meantime. True if there are some.
    pub(super) fn take_schemas(&mut self) -> bool {
        let Some(pending) = &self.pending else { return false };
        let decided = match pending.try_recv() {
            Ok(analysis) => Some(analysis),
            Err(TryRecvError::Empty) => return false,
            Err(TryRecvError::Disconnected) => None,
        };
        self.pending = None;
        if std::mem::take(&mut self.is_outdated) {
            self.decide_schemas();
            return false;
        }
        // If deciding failed, that it goes on is no longer shown.
        decided.into_iter().for_each(|analysis| self.analysis = analysis);
        true
    }

    /// True while schemas are being decided.
    pub(super) fn is_deciding(&self) -> bool {
        self.pending.is_some()
    }

    /// Reads what was added to a capture that grows.
    ///
    /// # Errors
    ///
    /// Fails if the capture can no longer be read.
    pub(super) fn poll(&mut self) -> Result<Change, Error> {
        let Traffic::Followed(follower) = &mut self.traffic else { return Ok(Change::Nothing) };
        let change = follower.poll(&())?;
        if change != Change::Nothing {
            self.analysis = follower.analysis();
        }
        Ok(change)
    }

    /// True if the capture is followed.
    pub(super) fn is_followed(&self) -> bool {
        matches!(self.traffic, Traffic::Followed(_))
    }

    /// The number of corrections that are in no file.
    pub(super) fn unwritten(&self) -> usize {
        if self.corrections == self.written { 0 } else { self.corrections.len().max(1) }
    }

    /// The name of the rules file that the exploration began with; empty for none.
    pub(super) fn rules_name(&self) -> &str {
        &self.rules_name
    }

    /// The rules file with the corrections at its end.
    pub(super) fn rules_text(&self) -> String {
        text_of(&self.rules_text, &self.corrections)
    }

    /// Writes the rules file with the corrections. A file that exists is replaced as a whole or not at all, and only if it is the
    /// rules file that the exploration began with. Gives the number of corrections in it.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written, if it is another one that exists, and if another program changed it.
    pub(super) fn write(&mut self, path: &Path) -> Result<usize, Error> {
        let name = path.display().to_string();
        let failed = |error| Error::io(&name, "write", error);
        let refused = |why: &str| Err(Error::usage(format!("{name}: {why}")));
        let real = std::fs::canonicalize(path).ok();
        let is_own = real.is_some() && real == std::fs::canonicalize(&self.rules_name).ok();
        if path.exists() && !is_own {
            return refused("there is a file of this name already; give another one");
        }
        // Links are followed, so that they stay links.
        let target = real.as_deref().unwrap_or(path);
        if is_own && std::fs::read_to_string(target).map_err(failed)? != self.file_text {
            return refused("another program changed this file meanwhile; give another name");
        }
        let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let mut file = new_file(folder).map_err(failed)?;
        let text = self.rules_text();
        file.write_all(text.as_bytes()).map_err(failed)?;
        if is_own {
            let permissions = std::fs::metadata(target).map_err(failed)?.permissions();
            std::fs::set_permissions(file.path(), permissions).map_err(failed)?;
            file.persist(target).map_err(|error| failed(error.error))?;
        } else {
            file.persist_noclobber(target).map_err(|error| failed(error.error))?;
        }
        self.file_text = text;
        self.rules_name = name;
        self.written.clone_from(&self.corrections);
        Ok(self.corrections.len())
    }

    fn rules(&self, corrections: &[Correction]) -> Result<Rules, Error> {
        Rules::parse(&self.rules_name, &text_of(&self.rules_text, corrections))
    }

    fn decide_again(&mut self) {
        // The text was parsed before.
        if let Ok(rules) = self.rules(&self.corrections) {
            self.options.report.rules = rules;
            self.analysis = decide(&mut self.traffic, &self.options);
            self.decide_schemas();
        }
    }

    /// Begins to decide the schemas of captures that were read; those of a capture that grows are decided with its report.
    fn decide_schemas(&mut self) {
        let Traffic::Read(observed) = &self.traffic else { return };
        if self.pending.is_some() {
            self.is_outdated = true;
            return;
        }
        let (sender, receiver) = mpsc::sync_channel(1);
        let (observed, options) = (Arc::clone(observed), self.options.clone());
        let decide = move || drop(sender.send(observed.analysis(&options)));
        // If no thread can be started, everything but the schemas is shown.
        self.pending = thread::Builder::new().spawn(decide).ok().map(|_| receiver);
    }
}

/// A file without a name in a folder, which gets the permissions of a new file.
fn new_file(folder: &Path) -> std::io::Result<tempfile::NamedTempFile> {
    // Elsewhere a new file has the permissions of its folder.
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let permissions = std::fs::Permissions::from_mode(0o666);
        tempfile::Builder::new().permissions(permissions).tempfile_in(folder)
    }
    #[cfg(not(unix))]
    tempfile::NamedTempFile::new_in(folder)
}

fn text_of(before: &str, corrections: &[Correction]) -> String {
    let mut text = before.to_owned();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text.extend(corrections.iter().map(Correction::toml));
    text
}

/// Decides the report of captures that were read without schemas, and of a capture that grows with them.
fn decide(traffic: &mut Traffic, options: &Options) -> Analysis {
    match traffic {
        Traffic::Read(observed) => observed.analysis_without_schemas(options),
        Traffic::Followed(follower) => {
            follower.set_report_options(options.report.clone());
            follower.analysis()
        }
    }
}
