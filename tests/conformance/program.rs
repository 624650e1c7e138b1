//! A recorded program: its JSON form, and the flat code that [`crate::interp`] runs.
//!
//! Nested ops become jumps, so that an instance is one loop with a program counter and its parks
//! are parks of one plain future. `traces/README.md` describes the JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A register, 0 for `a` to 25 for `z`.
pub(crate) type Reg = usize;

/// Index of an instruction.
pub(crate) type Pc = usize;

/// Something with an integer value.
#[derive(Debug)]
pub(crate) enum Operand {
    Int(i64),
    Reg(Reg),
    /// The number of the instance.
    Own,
    Binary(Operator, Box<(Operand, Operand)>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Operator {
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    Eq,
    Ne,
    Lt,
}

/// An op that has events, and so a number.
#[derive(Debug)]
pub(crate) enum Op {
    Spawn(usize, Vec<Operand>),
    Gosched,
    Send(Operand, Operand),
    Recv(Operand),
    TrySend(Operand, Operand),
    TryRecv(Operand),
    Close(Operand),
    Log(Operand),
    WgAdd(Operand, Operand),
    WgDone(Operand),
    WgWait(Operand),
    Lock(Operand),
    Unlock(Operand),
}

#[derive(Debug)]
pub(crate) enum Instr {
    /// An op with its number.
    Op(i64, Op),
    Set(Reg, Operand),
    /// Starts a counted loop.
    Enter(Operand),
    /// The next turn of the innermost counted loop, or out of it to `end`.
    Turn {
        reg: Reg,
        end: Pc,
    },
    /// Starts a loop over a channel.
    EnterRange(Operand),
    /// Receives for the innermost loop over a channel, or leaves it to `end`.
    TurnRange {
        number: i64,
        end: Pc,
    },
    /// Forgets the innermost counted loop or loop over a channel.
    Leave,
    Jump(Pc),
    JumpIfZero(Operand, Pc),
    Exit,
}

/// The code of one task.
#[derive(Debug)]
pub(crate) struct Task {
    pub(crate) name: String,
    pub(crate) code: Vec<Instr>,
    /// Names of the ops, by number - 1.
    pub(crate) ops: Vec<String>,
}

/// One event and how far schedtick moved since the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) instance: i64,
    pub(crate) code: i64,
    pub(crate) value: i64,
    pub(crate) ticks: u32,
}

/// When a trace ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// With the last instance.
    All,
    /// With instance 0.
    Main,
}

#[derive(Debug)]
pub(crate) struct Program {
    pub(crate) tick0: u32,
    pub(crate) end: End,
    /// Capacities.
    pub(crate) chans: Vec<usize>,
    pub(crate) wgs: usize,
    pub(crate) mutexes: usize,
    pub(crate) tasks: Vec<Task>,
    /// Index of `main` in `tasks`.
    pub(crate) main: usize,
    pub(crate) trace: Vec<Event>,
}

type Parsed<T> = Result<T, String>;

impl Program {
    /// The program in `text`, or why it is none.
    pub(crate) fn parse(text: &str) -> Parsed<Program> {
        let json: Value = serde_json::from_str(text).map_err(|e| format!("no JSON: {e}"))?;
        let json = json.as_object().ok_or("not a JSON object")?;
        let end = match field(json, "end")?.as_str() {
            Some("all") => End::All,
            Some("main") => End::Main,
            _ => return Err("`end` is neither \"all\" nor \"main\"".into()),
        };
        let mut chans = Vec::new();
        for group in list(field(json, "chans")?)? {
            let [count, capacity] = list(group)? else {
                return Err(format!("{group} is not [count, capacity]"));
            };
            chans.resize(chans.len() + size(count)?, size(capacity)?);
        }
        let tasks = field(json, "tasks")?
            .as_object()
            .ok_or("`tasks` is not an object")?;
        let names: BTreeMap<&str, usize> = tasks
            .keys()
            .enumerate()
            .map(|(index, name)| (name.as_str(), index))
            .collect();
        let main = *names.get("main").ok_or("there is no task `main`")?;
        let tasks = tasks.iter().map(|(name, ops)| {
            let mut compiler = Compiler::new(&names);
            compiler
                .block(ops)
                .map_err(|e| format!("task `{name}`: {e}"))?;
            Ok(Task {
                name: name.clone(),
                code: compiler.code,
                ops: compiler.ops,
            })
        });
        Ok(Program {
            tick0: number(field(json, "tick0")?)?,
            end,
            chans,
            wgs: size(field(json, "wgs")?)?,
            mutexes: size(field(json, "mutexes")?)?,
            tasks: tasks.collect::<Parsed<_>>()?,
            main,
            trace: trace(field(json, "ev")?, field(json, "dt")?)?,
        })
    }
}

fn trace(events: &Value, ticks: &Value) -> Parsed<Vec<Event>> {
    let events: Vec<i64> = list(events)?.iter().map(number).collect::<Parsed<_>>()?;
    let (events, []) = events.as_chunks::<3>() else {
        return Err("`ev` does not hold three integers per event".into());
    };
    let ticks = ticks.as_str().ok_or("`dt` is not a string")?;
    if events.is_empty() || ticks.chars().count() != events.len() {
        return Err("`dt` does not hold one character per event".into());
    }
    let event = |(&[instance, code, value], ticks): (&[i64; 3], char)| {
        let ticks = ticks
            .to_digit(36)
            .ok_or_else(|| format!("`{ticks}` in `dt`"))?;
        Ok(Event {
            instance,
            code,
            value,
            ticks,
        })
    };
    events.iter().zip(ticks.chars()).map(event).collect()
}

fn field<'a>(json: &'a Map<String, Value>, name: &str) -> Parsed<&'a Value> {
    json.get(name)
        .ok_or_else(|| format!("there is no `{name}`"))
}

fn list(json: &Value) -> Parsed<&[Value]> {
    json.as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| format!("{json} is not a list"))
}

fn number<T: TryFrom<i64>>(json: &Value) -> Parsed<T> {
    let number = json.as_i64().and_then(|n| T::try_from(n).ok());
    number.ok_or_else(|| format!("{json} is not an integer in range"))
}

fn size(json: &Value) -> Parsed<usize> {
    number(json)
}

fn register(json: &Value) -> Parsed<Reg> {
    match json.as_str().map(str::as_bytes) {
        Some([letter @ b'a'..=b'z']) => Ok(usize::from(letter - b'a')),
        _ => Err(format!("{json} is not a register")),
    }
}

fn operand(json: &Value) -> Parsed<Operand> {
    match json {
        Value::Number(_) => number(json).map(Operand::Int),
        Value::String(text) if text == "#" => Ok(Operand::Own),
        Value::Array(parts) => {
            let [operator, left, right] = parts.as_slice() else {
                return Err(format!("{json} is not [operator, operand, operand]"));
            };
            let operator = match operator.as_str() {
                Some("+") => Operator::Add,
                Some("-") => Operator::Sub,
                Some("*") => Operator::Mul,
                Some("/") => Operator::Div,
                Some("%") => Operator::Rem,
                Some("==") => Operator::Eq,
                Some("!=") => Operator::Ne,
                Some("<") => Operator::Lt,
                _ => return Err(format!("{operator} is not an operator")),
            };
            Ok(Operand::Binary(
                operator,
                Box::new((operand(left)?, operand(right)?)),
            ))
        }
        _ => register(json).map(Operand::Reg),
    }
}

/// A loop that is being compiled.
struct Loop {
    /// Whether the instance keeps a frame for it.
    framed: bool,
    /// Jumps to its end, to be filled in.
    breaks: Vec<Pc>,
}

struct Compiler<'a> {
    names: &'a BTreeMap<&'a str, usize>,
    code: Vec<Instr>,
    ops: Vec<String>,
    loops: Vec<Loop>,
}

impl<'a> Compiler<'a> {
    fn new(names: &'a BTreeMap<&'a str, usize>) -> Self {
        Compiler {
            names,
            code: Vec::new(),
            ops: Vec::new(),
            loops: Vec::new(),
        }
    }

    fn block(&mut self, ops: &Value) -> Parsed<()> {
        for op in list(ops)? {
            self.op(op).map_err(|e| format!("{e} (in {op:.80})"))?;
        }
        Ok(())
    }

    fn op(&mut self, json: &Value) -> Parsed<()> {
        let (name, args) = list(json)?.split_first().ok_or("an op without a name")?;
        let name = name.as_str().ok_or("the name of an op is not a string")?;
        self.ops.push(name.into());
        let number = i64::try_from(self.ops.len()).map_err(|e| e.to_string())?;
        let op = match (name, args) {
            ("spawn", [task, args @ ..]) if args.len() <= 26 => {
                let task = task.as_str().and_then(|task| self.names.get(task));
                let args = args.iter().map(operand).collect::<Parsed<_>>()?;
                Op::Spawn(*task.ok_or("no such task")?, args)
            }
            ("gosched", []) => Op::Gosched,
            ("send", [c, v]) => Op::Send(operand(c)?, operand(v)?),
            ("recv", [c]) => Op::Recv(operand(c)?),
            ("trysend", [c, v]) => Op::TrySend(operand(c)?, operand(v)?),
            ("tryrecv", [c]) => Op::TryRecv(operand(c)?),
            ("close", [c]) => Op::Close(operand(c)?),
            ("log", [v]) => Op::Log(operand(v)?),
            ("wgadd", [w, n]) => Op::WgAdd(operand(w)?, operand(n)?),
            ("wgdone", [w]) => Op::WgDone(operand(w)?),
            ("wgwait", [w]) => Op::WgWait(operand(w)?),
            ("lock", [m]) => Op::Lock(operand(m)?),
            ("unlock", [m]) => Op::Unlock(operand(m)?),
            _ => return self.control(name, args, number),
        };
        self.code.push(Instr::Op(number, op));
        Ok(())
    }

    fn control(&mut self, name: &str, args: &[Value], number: i64) -> Parsed<()> {
        match (name, args) {
            ("set", [reg, v]) => self.code.push(Instr::Set(register(reg)?, operand(v)?)),
            ("loop", [reg, n, body]) => {
                let reg = register(reg)?;
                self.code.push(Instr::Enter(operand(n)?));
                self.looped(true, Some(Instr::Turn { reg, end: 0 }), body)?;
            }
            ("forever", [body]) => self.looped(false, None, body)?,
            ("range", [c, body]) => {
                self.code.push(Instr::EnterRange(operand(c)?));
                self.looped(true, Some(Instr::TurnRange { number, end: 0 }), body)?;
            }
            ("break", []) => {
                let innermost = self.loops.last_mut().ok_or("outside of a loop")?;
                if innermost.framed {
                    self.code.push(Instr::Leave);
                }
                innermost.breaks.push(self.code.len());
                self.code.push(Instr::Jump(0));
            }
            ("if", [v, then, otherwise @ ..]) if otherwise.len() <= 1 => {
                let test = self.code.len();
                self.code.push(Instr::JumpIfZero(operand(v)?, 0));
                self.block(then)?;
                if let [otherwise] = otherwise {
                    let over = self.code.len();
                    self.code.push(Instr::Jump(0));
                    self.fill_in(test);
                    self.block(otherwise)?;
                    self.fill_in(over);
                } else {
                    self.fill_in(test);
                }
            }
            ("exit", []) => self.code.push(Instr::Exit),
            _ => return Err("no such op, or not with so many operands".into()),
        }
        Ok(())
    }

    /// `turn`, the body, a jump back to `turn`; the end is filled in wherever it is needed.
    fn looped(&mut self, framed: bool, turn: Option<Instr>, body: &Value) -> Parsed<()> {
        let start = self.code.len();
        let breaks = if turn.is_some() {
            vec![start]
        } else {
            Vec::new()
        };
        self.code.extend(turn);
        self.loops.push(Loop { framed, breaks });
        self.block(body)?;
        self.code.push(Instr::Jump(start));
        let ended = self.loops.pop().ok_or("loops do not nest")?;
        ended.breaks.into_iter().for_each(|pc| self.fill_in(pc));
        Ok(())
    }

    /// Sends the jump at `pc` to the next instruction.
    fn fill_in(&mut self, pc: Pc) {
        let here = self.code.len();
        match &mut self.code[pc] {
            Instr::Jump(end)
            | Instr::JumpIfZero(_, end)
            | Instr::Turn { end, .. }
            | Instr::TurnRange { end, .. } => *end = here,
            other => unreachable!("{other:?} does not jump"),
        }
    }
}
