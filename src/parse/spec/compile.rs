//! Makes runnable rules of checked descriptions.

use super::{AllowlistSpec, GrokSpec, NodeSpec, StashSpec, StaticSpec};
use crate::diagnostic::{Diagnostic, similar};
use crate::event::OverflowField;
use crate::expr::Mistake;
use crate::parse::allow::Allowlist;
use crate::parse::enrich::{Enrichment, Method};
use crate::parse::expression::Expression;
use crate::parse::field::Field;
use crate::parse::glance::Glance;
use crate::parse::grok::{Added, Grok, Library};
use crate::parse::node::{Input, Node as Compiled, NodeGrok};
use crate::parse::stash::Stash;
use crate::parse::statics::{Fixed, Source, Static, Statics, Target};
use crate::value::{Names, Ranges, Section, Type};
use crate::yaml::Node;

/// Compiles a rule. Its patterns are added to the `library` of its universe, so the order of
/// compilation is that of loading. Gives a rule only when there is no error among the diagnostics.
#[must_use]
pub fn compile(
    spec: &NodeSpec<'_>,
    names: &mut Names,
    library: &mut Library,
) -> (Option<(Box<str>, Compiled)>, Vec<Diagnostic>) {
    let mut compiler = Compiler { spec, names, library, diagnostics: Vec::new() };
    let node = compiler.node(spec);
    let diagnostics = compiler.diagnostics;
    let sound = !diagnostics.iter().any(Diagnostic::is_error);
    (sound.then(|| (spec.stage.clone(), node)), diagnostics)
}

struct Compiler<'c, 'n> {
    spec: &'c NodeSpec<'n>,
    names: &'c mut Names,
    library: &'c mut Library,
    diagnostics: Vec<Diagnostic>,
}

impl Compiler<'_, '_> {
    // The order matters: patterns must be known to the grok of their own node and to all children.
    fn node(&mut self, spec: &NodeSpec<'_>) -> Compiled {
        let filter = spec.filter.and_then(|filter| self.condition(filter));
        for (name, pattern) in &spec.pattern_syntax {
            self.pattern(name, pattern);
        }
        let grok = spec.grok.as_ref().and_then(|grok| self.grok(grok));
        let stash = spec.stash.iter().filter_map(|stash| self.stash(stash)).collect();
        let children: Vec<_> = spec.children.iter().map(|child| self.node(child)).collect();
        let glance = Glance::new(&children);
        let statics = self.statics(&spec.statics);
        let allowlist = spec.allowlist.as_ref().map(|list| self.allowlist(list));
        let allowlist = allowlist.filter(|list| !list.is_empty());
        let name = spec.name.clone();
        let next_stage = spec.next_stage;
        Compiled { name, filter, allowlist, grok, stash, children, glance, statics, next_stage }
    }

    fn expression(&mut self, node: &Node) -> Option<Expression> {
        match Expression::compile(node.text()?, self.names) {
            Ok(expression) => Some(expression),
            Err(mistakes) => {
                for mistake in mistakes {
                    self.mistake(node, mistake, "expression");
                }
                None
            }
        }
    }

    /// An expression that must be true or false.
    fn condition(&mut self, node: &Node) -> Option<Expression> {
        let expression = self.expression(node)?;
        let kind = expression.result();
        if !matches!(kind, Type::Bool | Type::Unknown) {
            let message =
                "a condition must be true or false; this is never either, so it always fails";
            self.warn(node, "never-true", message);
        }
        Some(expression)
    }

    fn pattern(&mut self, name: &str, node: &Node) {
        let Some(pattern) = node.text() else { return };
        match self.library.add(name, pattern) {
            Ok(Added::New) => self.library.defined(name, &self.spec.file, node.span.start),
            Ok(Added::Same) => {}
            Ok(Added::Ignored) => {
                let message = format!(
                    "ignored: pattern `{name}` is defined otherwise {}",
                    self.library.place(name)
                );
                let help = "the first definition counts for all rules; give this another name";
                self.warn_with(node, "pattern-defined", message, Some(help.to_owned()));
            }
            Err(mistake) => self.mistake(node, mistake, "pattern"),
        }
        self.doubtful(node);
    }

    /// Warns of texts that look like references and are none.
    fn doubtful(&mut self, node: &Node) {
        let Some(pattern) = node.text() else { return };
        for span in self.library.doubtful(pattern) {
            let text = pattern.get(span.clone()).unwrap_or_default();
            let message = format!("`{text}` is no reference to a pattern and stands for itself");
            let warning = Diagnostic::error(
                &self.spec.file,
                node.locate_range(span),
                "no-reference",
                message,
            )
            .with_help("a reference is `%{NAME}` or `%{NAME:capture}`, in word characters")
            .warning();
            self.diagnostics.push(warning);
        }
    }

    fn grok(&mut self, spec: &GrokSpec<'_>) -> Option<NodeGrok> {
        // Everything is compiled before anything is given up, so that all mistakes show.
        let grok = self.compiled_grok(spec);
        let input = match (spec.apply_on, spec.expression) {
            (Some(name), _) => match name.text() {
                Some("Line.Raw") => Some(Input::Raw),
                Some(name) => Some(Input::Field(Field::intern(self.names, Section::Parsed, name))),
                None => None,
            },
            (None, Some(node)) => self.expression(node).map(Input::Expression),
            (None, None) => None,
        };
        let statics = self.statics(&spec.statics);
        let (input, grok) = (input?, grok?);
        let captures = grok.captures().iter();
        let fields =
            captures.map(|name| Field::intern(self.names, Section::Parsed, name)).collect();
        Some(NodeGrok { input, grok, fields, statics })
    }

    fn compiled_grok(&mut self, spec: &GrokSpec<'_>) -> Option<Grok> {
        let node = spec.name.or(spec.pattern)?;
        let text = node.text()?;
        let compiled = match spec.name {
            Some(_) => self.library.compile_named(text),
            None => {
                self.doubtful(node);
                self.library.compile(text)
            }
        };
        match compiled {
            Ok(grok) => {
                if grok.captures().is_empty() {
                    let message = "this pattern captures nothing by name, so it is never found";
                    self.warn(node, "captures-nothing", message);
                }
                Some(grok)
            }
            Err(mistake) => {
                self.mistake(node, mistake, "pattern");
                None
            }
        }
    }

    fn stash(&mut self, spec: &StashSpec<'_>) -> Option<Stash> {
        let (key, value) = (self.expression(spec.key), self.expression(spec.value));
        Some(Stash {
            name: spec.name.into(),
            size: spec.size,
            ttl: spec.ttl,
            strategy: spec.strategy,
            key: key?,
            value: value?,
        })
    }

    fn allowlist(&mut self, spec: &AllowlistSpec<'_>) -> Allowlist {
        Allowlist {
            reason: spec.reason.clone(),
            networks: Ranges::new(
                spec.addresses
                    .iter()
                    .copied()
                    .map(ipnet::IpNet::from)
                    .chain(spec.networks.iter().copied()),
            ),
            conditions: spec.conditions.iter().filter_map(|node| self.condition(node)).collect(),
        }
    }

    fn statics(&mut self, specs: &[StaticSpec<'_>]) -> Statics {
        Statics::new(specs.iter().filter_map(|spec| self.one_static(spec)).collect())
    }

    fn one_static(&mut self, spec: &StaticSpec<'_>) -> Option<Static> {
        let text = spec.value.and_then(Node::text).filter(|text| !text.is_empty());
        let source = match (text, spec.expression) {
            (Some(text), _) => Some(Source::Text(text.into())),
            (None, Some(node)) => self.expression(node).map(|expression| {
                self.check_storable(node, expression.result());
                match (expression.as_field(), Fixed::of(expression.source())) {
                    (Some(slot), _) => Source::Field(slot, expression),
                    (None, Some(fixed)) => Source::Fixed(fixed, expression),
                    (None, None) => Source::Expression(expression),
                }
            }),
            (None, None) => None,
        };
        let (target, path) = self.target(spec)?;
        Some(Static::new(source?, target, path))
    }

    /// Warns of an expression whose value can never be stored, and would end the event.
    fn check_storable(&mut self, node: &Node, kind: Type) {
        let name = match kind {
            Type::Bool => "true or false",
            Type::Duration => "a duration",
            Type::Time => "a time",
            Type::List(Type::Text) => "a list of texts",
            Type::Map(Type::Text) | Type::Fields(_) => "a map of texts",
            _ => return,
        };
        let warning = Diagnostic::error(
            &self.spec.file,
            node.span.clone(),
            "not-text",
            format!("a static stores text, and this is {name}: it drops every line it is tried on"),
        );
        let help = "make it text, such as `condition ? 'true' : 'false'`";
        self.diagnostics.push(warning.with_help(help).warning());
    }

    fn target(&mut self, spec: &StaticSpec<'_>) -> Option<(Target, Box<str>)> {
        if let Some(node) = spec.method {
            let name = node.text()?;
            let target = match Method::ALL.iter().find(|(known, _)| *known == name) {
                Some((_, method)) => Target::Method(Enrichment::new(*method, self.names)),
                None => {
                    let message = format!("unknown method `{name}`: this static has no effect");
                    let known = similar(name, Method::ALL.iter().map(|(known, _)| *known));
                    let help = known.map(|known| format!("did you mean `{known}`?"));
                    self.warn_with(node, "unknown-method", message, help);
                    Target::Nowhere
                }
            };
            return Some((target, name.into()));
        }
        let sections = [
            (spec.parsed, Section::Parsed, "Parsed"),
            (spec.meta, Section::Meta, "Meta"),
            (spec.enriched, Section::Enriched, "Enriched"),
        ];
        for (node, section, title) in sections {
            if let Some(name) = node.and_then(Node::text) {
                let field = Field::intern(self.names, section, name);
                return Some((Target::Field(field), format!("evt.{title}.{name}").into()));
            }
        }
        // A grok's static may lack a target; it was warned of when it was loaded.
        let node = spec.target?;
        let path = node.text()?;
        let target = self.at_path(path.strip_prefix("evt.").unwrap_or(path));
        if matches!(target, Target::Nowhere) {
            let message = format!("`{path}` is no text of an event: this static has no effect");
            let help = (!path.contains('.')).then(|| format!("did you mean `evt.Meta.{path}`?"));
            self.warn_with(node, "unknown-target", message, help);
        }
        Some((target, path.into()))
    }

    fn at_path(&mut self, path: &str) -> Target {
        if let Some(fixed) = Fixed::at(path) {
            return Target::Fixed(fixed);
        }
        let (head, rest) = path.split_once('.').unwrap_or((path, ""));
        // A map takes one key; whatever follows is of no meaning.
        let key = |rest: &str| rest.split('.').next().unwrap_or_default().to_owned();
        let mut field =
            |section, rest: &str| Target::Field(Field::intern(self.names, section, &key(rest)));
        match (head, rest) {
            (_, "") => Target::Nowhere,
            ("Parsed", rest) => field(Section::Parsed, rest),
            ("Enriched", rest) => field(Section::Enriched, rest),
            ("Meta", rest) => field(Section::Meta, rest),
            ("Unmarshaled", rest) => Target::Unmarshaled(key(rest).into()),
            ("Line", rest) => match rest.strip_prefix("Labels.") {
                Some(rest) => field(Section::Label, rest),
                None => Target::Nowhere,
            },
            ("Overflow", rest) => OverflowField::at(rest).map_or(Target::Nowhere, Target::Overflow),
            _ => Target::Nowhere,
        }
    }

    fn mistake(&mut self, node: &Node, mistake: Mistake, code: &'static str) {
        let span = node.locate_range(mistake.span);
        let diagnostic = Diagnostic::error(&self.spec.file, span, code, mistake.message);
        self.diagnostics.push(match mistake.help {
            Some(help) => diagnostic.with_help(help),
            None => diagnostic,
        });
    }

    fn warn(&mut self, node: &Node, code: &'static str, message: impl Into<String>) {
        self.warn_with(node, code, message.into(), None);
    }

    fn warn_with(
        &mut self,
        node: &Node,
        code: &'static str,
        message: String,
        help: Option<String>,
    ) {
        let warning =
            Diagnostic::error(&self.spec.file, node.span.clone(), code, message).warning();
        self.diagnostics.push(match help {
            Some(help) => warning.with_help(help),
            None => warning,
        });
    }
}
