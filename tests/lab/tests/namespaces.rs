//! Namespaces and interfaces behave as the rest of the lab relies on.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use libtest_mimic::{Arguments, Failed, Trial};
use peerward_lab::{LabError, Link, Namespace, veth};

fn main() -> Result<std::process::ExitCode, LabError> {
    peerward_lab::enter()?;
    let trials = vec![
        Trial::test("a_namespace_sees_only_its_own_interfaces", sees_only_its_own),
        Trial::test("the_far_end_down_takes_the_carrier_of_the_near_end", carrier_follows_the_far_end),
        Trial::test("an_ipv6_address_is_usable_at_once", ipv6_is_usable_at_once),
        Trial::test("an_interface_that_is_made_again_has_a_new_index", recreated_has_new_index),
        Trial::test("a_process_runs_inside", process_runs_inside),
        Trial::test("an_interface_that_does_not_exist_is_named_in_the_error", missing_interface_is_named),
    ];
    Ok(libtest_mimic::run(&Arguments::from_args(), trials).exit_code())
}

fn pair() -> Result<(Link, Link), LabError> {
    let (left, right) = (Namespace::new("left")?.link("wan0"), Namespace::new("right")?.link("wan0"));
    veth(&left, &right)?;
    Ok((left, right))
}

fn sees_only_its_own() -> Result<(), Failed> {
    let (left, right) = pair()?;
    assert!(left.state()?.is_some_and(|state| !state.admin_up));
    assert!(right.state()?.is_some());
    assert!(left.namespace().link("eth0").state()?.is_none());
    Ok(())
}

fn carrier_follows_the_far_end() -> Result<(), Failed> {
    let (left, right) = pair()?;
    left.up()?;
    right.up()?;
    assert!(eventually(|| carrier(&left)));
    right.down()?;
    assert!(eventually(|| !carrier(&left)));
    assert!(left.state()?.is_some_and(|state| state.admin_up));
    right.up()?;
    assert!(eventually(|| carrier(&left)));
    Ok(())
}

fn ipv6_is_usable_at_once() -> Result<(), Failed> {
    let (left, right) = pair()?;
    left.up()?;
    right.up()?;
    left.add_address("2001:db8::1/64".parse()?)?;
    right.add_address("2001:db8::2/64".parse()?)?;
    let listener = left.namespace().run(|| std::net::TcpListener::bind("[2001:db8::1]:443"))?;
    let stream = right.namespace().run(|| std::net::TcpStream::connect("[2001:db8::1]:443"))?;
    assert_eq!(listener.accept()?.1, stream.local_addr()?);
    Ok(())
}

fn recreated_has_new_index() -> Result<(), Failed> {
    let (left, right) = pair()?;
    let first = left.state()?.map(|state| state.index);
    left.delete()?;
    assert_eq!(right.state()?, None);
    veth(&left, &right)?;
    assert_ne!(left.state()?.map(|state| state.index), first);
    Ok(())
}

fn process_runs_inside() -> Result<(), Failed> {
    let (left, _right) = pair()?;
    let mut command = Command::new("cat");
    command.arg("/proc/net/dev").stdout(std::process::Stdio::piped());
    let output = left.namespace().spawn(&mut command)?.wait_with_output()?;
    assert!(String::from_utf8(output.stdout)?.contains("wan0"));
    Ok(())
}

fn missing_interface_is_named() -> Result<(), Failed> {
    let Err(error) = Namespace::new("left")?.link("wan7").up() else { return Err("no error".into()) };
    let text = error.to_string();
    assert!(text.contains("wan7") && text.contains("No such device"), "{text}");
    Ok(())
}

fn carrier(link: &Link) -> bool {
    link.state().is_ok_and(|state| state.is_some_and(|state| state.carrier))
}

fn eventually(condition: impl Fn() -> bool) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    false
}
