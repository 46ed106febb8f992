//! Classic BPF as a list of named steps: jumps go to labels, not to counted distances.
//!
//! Only what the filter needs. A load beyond the end of the packet drops it: that is the machine's own rule.

use std::fmt::Debug;

/// One instruction of the machine (`struct sock_filter`, linux/filter.h).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    /// Operation.
    pub code: u16,
    /// Instructions to skip when the condition holds.
    pub jt: u8,
    /// Instructions to skip when it does not.
    pub jf: u8,
    /// Operand.
    pub k: u32,
}

/// Where a value is loaded from.
#[derive(Debug, Clone, Copy)]
pub(super) enum Place {
    /// The packet, from its first byte.
    Packet(u32),
    /// The packet, from the byte that X counts to.
    BehindX(u32),
    /// What the kernel knows of it: one of `SKF_AD_*`.
    Kernel(libc::c_int),
}

/// One step of a program; `A` and `X` are the machine's registers.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step<Label> {
    /// Names the step after it.
    At(Label),
    /// A := byte.
    Byte(Place),
    /// A := 16 bits, big-endian.
    Half(Place),
    /// A := 32 bits, big-endian.
    Word(Place),
    /// X := number.
    SetX(u32),
    /// X := four times the low half of the packet's first byte: the length of an IPv4 header.
    SetXToIpv4Header,
    /// A := X.
    TakeX,
    /// A := A & number.
    And(u32),
    /// A := A + number.
    Add(u32),
    /// Goes on there if A is the number.
    IfIs(u32, Label),
    /// Goes on there if A is not the number.
    IfNot(u32, Label),
    /// Goes on there if A is below the number.
    IfBelow(u32, Label),
    /// Goes on there if A has any of these bits.
    IfAnyOf(u32, Label),
    /// Goes on there.
    Goto(Label),
    /// Lets the first A bytes of the packet through.
    Pass,
    /// Lets nothing through.
    Drop,
}

/// Why steps are no program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssembleError {
    /// A label that stands nowhere behind the jump to it: the machine only jumps forward.
    #[error("a jump leads nowhere")]
    NoSuchPlace,
    /// A condition that jumps over more than 255 instructions.
    #[error("a jump is too far")]
    TooFar,
}

/// Turns steps into instructions.
pub(super) fn assemble<Label: Copy + PartialEq>(steps: &[Step<Label>]) -> Result<Vec<Instruction>, AssembleError> {
    let mut program = Vec::new();
    for (position, step) in steps.iter().enumerate() {
        let distance = |label: Label| {
            let behind = steps.get(position + 1..).unwrap_or_default();
            let end = behind.iter().position(|step| matches!(step, Step::At(there) if *there == label));
            let end = end.ok_or(AssembleError::NoSuchPlace)?;
            Ok(behind.iter().take(end).filter(|step| !matches!(step, Step::At(_))).count())
        };
        let near = |label| u8::try_from(distance(label)?).map_err(|_| AssembleError::TooFar);
        let plain = |code: u32, k| instruction(code, 0, 0, k);
        program.push(match *step {
            Step::At(_) => continue,
            Step::Byte(place) => load(libc::BPF_B, place),
            Step::Half(place) => load(libc::BPF_H, place),
            Step::Word(place) => load(libc::BPF_W, place),
            Step::SetX(number) => plain(libc::BPF_LDX | libc::BPF_W | libc::BPF_IMM, number),
            Step::SetXToIpv4Header => plain(libc::BPF_LDX | libc::BPF_B | libc::BPF_MSH, 0),
            Step::TakeX => plain(libc::BPF_MISC | libc::BPF_TXA, 0),
            Step::And(number) => plain(libc::BPF_ALU | libc::BPF_AND | libc::BPF_K, number),
            Step::Add(number) => plain(libc::BPF_ALU | libc::BPF_ADD | libc::BPF_K, number),
            Step::IfIs(number, label) => instruction(jump(libc::BPF_JEQ), near(label)?, 0, number),
            Step::IfNot(number, label) => instruction(jump(libc::BPF_JEQ), 0, near(label)?, number),
            Step::IfBelow(number, label) => instruction(jump(libc::BPF_JGE), 0, near(label)?, number),
            Step::IfAnyOf(bits, label) => instruction(jump(libc::BPF_JSET), near(label)?, 0, bits),
            Step::Goto(label) => plain(
                libc::BPF_JMP | libc::BPF_JA,
                u32::try_from(distance(label)?).map_err(|_| AssembleError::TooFar)?,
            ),
            Step::Pass => plain(libc::BPF_RET | libc::BPF_A, 0),
            Step::Drop => plain(libc::BPF_RET | libc::BPF_K, 0),
        });
    }
    Ok(program)
}

fn jump(condition: u32) -> u32 {
    libc::BPF_JMP | condition | libc::BPF_K
}

fn load(size: u32, place: Place) -> Instruction {
    let (mode, k) = match place {
        Place::Packet(offset) => (libc::BPF_ABS, offset),
        Place::BehindX(offset) => (libc::BPF_IND, offset),
        // Negative offsets are the kernel's own fields.
        Place::Kernel(field) => (libc::BPF_ABS, (libc::SKF_AD_OFF + field).cast_unsigned()),
    };
    instruction(libc::BPF_LD | size | mode, 0, 0, k)
}

fn instruction(code: u32, jt: u8, jf: u8, k: u32) -> Instruction {
    // All operations are below 256.
    Instruction { code: u16::try_from(code).unwrap_or_default(), jt, jf, k }
}

#[cfg(test)]
pub(super) mod tests;
