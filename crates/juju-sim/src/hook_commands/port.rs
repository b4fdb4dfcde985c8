//! `open-port`, `close-port`, `opened-ports`.

use super::arguments::Takes;
use super::{Call, CommandError, Output};
use crate::model::unit::OpenPort;
use crate::node::Node;

pub(super) fn open(call: &mut Call<'_>) -> Output {
    change(call, true)
}

pub(super) fn close(call: &mut Call<'_>) -> Output {
    change(call, false)
}

fn change(call: &mut Call<'_>, open: bool) -> Output {
    let arguments = call.silent(&[(&["endpoints"], Takes::Value), (&["format"], Takes::Value)])?;
    let Some(word) = arguments.word(0) else {
        return Err(CommandError::usage("no port or range specified"));
    };
    arguments.at_most(1)?;
    let (port, protocol) = parse(word)?;
    let endpoints: Vec<_> = arguments.option("endpoints").map_or_else(
        || vec![String::new()],
        |list| list.split(',').map(|name| name.trim().to_owned()).collect(),
    );
    for endpoint in endpoints {
        call.context.changes.ports.insert(
            OpenPort {
                protocol: protocol.clone(),
                port,
                endpoint,
            },
            open,
        );
    }
    Ok(String::new())
}

fn parse(word: &str) -> Result<(u16, String), CommandError> {
    let lower = word.to_ascii_lowercase();
    if lower == "icmp" {
        return Ok((0, lower));
    }
    let (ports, protocol) = lower.split_once('/').unwrap_or((&lower, "tcp"));
    if !matches!(protocol, "tcp" | "udp") {
        return Err(CommandError::usage(format!(
            "invalid protocol {protocol:?}, expected \"tcp\", \"udp\", or \"icmp\""
        )));
    }
    let number = |text: &str| {
        text.parse::<i64>().map_err(|_| {
            CommandError::usage(format!(
                "invalid port {text:?}: strconv.Atoi: parsing {text:?}: invalid syntax"
            ))
        })
    };
    let (from, to) = match ports.split_once('-') {
        Some((from, to)) => (number(from)?, number(to)?),
        None => (number(ports)?, number(ports)?),
    };
    let outside = || {
        CommandError::usage(format!(
            "port range bounds must be between 0 and 65535, got {from}-{to}"
        ))
    };
    let port = u16::try_from(from).map_err(|_| outside())?;
    u16::try_from(to).map_err(|_| outside())?;
    if from != to {
        return Err(CommandError::refused(
            "port ranges are not supported for k8s applications, please specify a single port",
        ));
    }
    Ok((port, protocol.to_owned()))
}

pub(super) fn opened(call: &mut Call<'_>) -> Output {
    let arguments = call.printing(&[(&["endpoints"], Takes::Nothing)])?;
    let mut ports = call
        .model
        .units
        .get(&call.context.unit)
        .map(|unit| unit.ports.clone())
        .unwrap_or_default();
    // Juju shows what is open, not what the running hook has asked for, but for what this hook itself closed or opened.
    for (port, open) in &call.context.changes.ports {
        if *open {
            ports.insert(port.clone());
        } else {
            ports.remove(port);
        }
    }
    let endpoints = arguments.is_set("endpoints");
    let mut shown: Vec<_> = ports
        .into_iter()
        .map(
            |OpenPort {
                 protocol,
                 port,
                 endpoint,
             }| {
                let range = if protocol == "icmp" {
                    protocol
                } else {
                    format!("{port}/{protocol}")
                };
                let wide = if endpoint.is_empty() {
                    "*".to_owned()
                } else {
                    endpoint
                };
                if endpoints {
                    format!("{range} ({wide})")
                } else {
                    range
                }
            },
        )
        .collect();
    shown.dedup();
    call.print(&arguments, &Node::list(shown))
}
