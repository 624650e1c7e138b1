//! Runs a recorded program: every instance is a task of the runtime under test.
//!
//! Between two parks an instance runs in one poll, as a goroutine does; only the ops that wait in
//! Go wait here.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex as Lock, MutexGuard};
use std::task::{Poll, Waker};

use gmp::__private::testing::{schedtick, set_schedtick};

use crate::prims::{Chan, Misuse, Mutex, Sent, WaitGroup};
use crate::program::{End, Instr, Op, Operand, Operator, Program};
use crate::record::Record;

/// The recorded value of an operation that met a closed channel.
const CLOSED: i64 = -1;
/// The recorded value of a `tryrecv` that found nothing.
const WOULD_BLOCK: i64 = -2;

/// What the instances of a program share.
pub(crate) struct World {
    program: Arc<Program>,
    chans: Vec<Chan>,
    wgs: Vec<WaitGroup>,
    mutexes: Vec<Mutex>,
    run: Lock<Progress>,
}

struct Progress {
    record: Record,
    live: usize,
    root: Option<Waker>,
}

/// The instance goes no further.
enum Stop {
    /// The run is over; nothing that happens counts.
    Over,
    /// The program is wrong.
    Fault(String),
}

impl From<Misuse> for Stop {
    fn from(misuse: Misuse) -> Self {
        Stop::Fault(misuse.0.into())
    }
}

impl World {
    pub(crate) fn new(program: Arc<Program>) -> Arc<Self> {
        let record = Record::new(Arc::clone(&program));
        Arc::new(World {
            chans: program
                .chans
                .iter()
                .map(|&capacity| Chan::new(capacity))
                .collect(),
            wgs: (0..program.wgs).map(|_| WaitGroup::default()).collect(),
            mutexes: (0..program.mutexes).map(|_| Mutex::default()).collect(),
            program,
            run: Lock::new(Progress {
                record,
                live: 0,
                root: None,
            }),
        })
    }

    fn run(&self) -> MutexGuard<'_, Progress> {
        self.run.lock().expect("no panic happens under this lock")
    }

    /// Runs the program from inside a task, which parks until the trace is over.
    pub(crate) async fn replay(self: Arc<Self>) {
        let mut started = false;
        poll_fn(|cx| {
            let mut run = self.run();
            if run.record.is_over() {
                return Poll::Ready(());
            }
            run.root = Some(cx.waker().clone());
            drop(run);
            if !started {
                started = true;
                spawn(&self, self.program.main, &[]);
            }
            Poll::Pending
        })
        .await;
    }

    /// What differed; `None` if the run was the recorded one.
    pub(crate) fn report(&self) -> Option<String> {
        self.run().record.report()
    }

    /// Where a run stands that came to no end by itself.
    pub(crate) fn report_broken(&self, what: &str) -> String {
        self.run().record.report_broken(what)
    }

    fn event(&self, who: usize, code: i64, value: i64) -> Result<(), Stop> {
        let tick = schedtick();
        let mut run = self.run();
        if run.record.is_over() {
            return Err(Stop::Over);
        }
        if run.record.event(who, code, value, tick) {
            return Ok(());
        }
        self.wake_root(run);
        Err(Stop::Over)
    }

    /// An instance has ended, after its last event.
    fn leave(&self, who: usize) {
        let mut run = self.run();
        run.live -= 1;
        let last = match self.program.end {
            End::All => run.live == 0,
            End::Main => who == 0,
        };
        if last {
            run.record.end();
            self.wake_root(run);
        }
    }

    fn fault(&self, what: String) {
        let mut run = self.run();
        run.record.fault(what);
        self.wake_root(run);
    }

    fn wake_root(&self, mut run: MutexGuard<'_, Progress>) {
        let root = run.root.take();
        drop(run);
        if let Some(waker) = root {
            waker.wake();
        }
    }
}

/// Spawns an instance as a task of its own; gives its number.
fn spawn(world: &Arc<World>, task: usize, args: &[i64]) -> usize {
    let mut run = world.run();
    let number = run.record.instance(task);
    run.live += 1;
    drop(run);
    let mut regs = [0; 26];
    regs[..args.len()].copy_from_slice(args);
    let instance = Instance {
        world: Arc::clone(world),
        number,
        task,
        regs,
        pc: 0,
        frames: Vec::new(),
    };
    drop(gmp::spawn(boxed(instance)));
    number
}

/// Boxed, because an instance spawns instances: its future's type cannot depend on itself.
fn boxed(instance: Instance) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(instance.run())
}

/// A loop that an instance is in.
enum Frame {
    Count { next: i64, end: i64 },
    Range { chan: usize },
}

struct Instance {
    world: Arc<World>,
    number: usize,
    task: usize,
    regs: [i64; 26],
    pc: usize,
    frames: Vec<Frame>,
}

/// The registers in which a receive or a send leaves its outcome.
const R: usize = (b'r' - b'a') as usize;
const K: usize = (b'k' - b'a') as usize;

impl Instance {
    async fn run(mut self) {
        if self.number == 0 {
            // The first run of instance 0 inherits the slice of the root, so the counter stands
            // still until its first event.
            set_schedtick(self.world.program.tick0);
        }
        match self.body().await {
            Ok(()) => self.world.leave(self.number),
            Err(Stop::Over) => {}
            Err(Stop::Fault(what)) => self.world.fault(what),
        }
    }

    async fn body(&mut self) -> Result<(), Stop> {
        let program = Arc::clone(&self.world.program);
        let code = &program.tasks[self.task].code;
        self.event(0, 0)?;
        while let Some(instr) = code.get(self.pc) {
            self.pc += 1;
            match instr {
                Instr::Op(number, op) => self.op(*number, op).await?,
                Instr::Set(reg, v) => self.regs[*reg] = self.value(v)?,
                Instr::Enter(n) => {
                    let end = self.value(n)?;
                    self.frames.push(Frame::Count { next: 0, end });
                }
                Instr::Turn { reg, end: out } => match self.frames.last_mut() {
                    Some(Frame::Count { next, end }) if *next < *end => {
                        self.regs[*reg] = *next;
                        *next += 1;
                    }
                    _ => self.leave_loop(*out),
                },
                Instr::EnterRange(c) => {
                    let chan = self.index(c)?;
                    self.frames.push(Frame::Range { chan });
                }
                Instr::TurnRange { number, end } => {
                    let Some(&Frame::Range { chan }) = self.frames.last() else {
                        unreachable!("the compiler enters every loop over a channel");
                    };
                    self.event(2 * number, 0)?;
                    let received = pick(&self.world.chans, chan)?.recv().await;
                    self.received(*number, Some(received))?;
                    if received.is_none() {
                        self.leave_loop(*end);
                    }
                }
                Instr::Leave => drop(self.frames.pop()),
                Instr::Jump(pc) => self.pc = *pc,
                Instr::JumpIfZero(v, pc) => {
                    if self.value(v)? == 0 {
                        self.pc = *pc;
                    }
                }
                Instr::Exit => break,
            }
        }
        self.event(1, 0)
    }

    async fn op(&mut self, number: i64, op: &Op) -> Result<(), Stop> {
        let (before, after) = (2 * number, 2 * number + 1);
        let world = Arc::clone(&self.world);
        match op {
            Op::Spawn(task, args) => {
                let args: Vec<i64> = args
                    .iter()
                    .map(|arg| self.value(arg))
                    .collect::<Result<_, _>>()?;
                self.event(before, 0)?;
                let child = spawn(&world, *task, &args);
                self.event(after, i64::try_from(child).expect("instances are few"))
            }
            Op::Gosched => {
                self.event(before, 0)?;
                gmp::task::yield_now().await;
                self.event(after, 0)
            }
            Op::Send(c, v) => {
                let (chan, value) = (pick(&world.chans, self.index(c)?)?, self.value(v)?);
                self.event(before, value)?;
                let sent = chan.send(value).await;
                self.regs[K] = i64::from(sent == Sent::Yes);
                self.event(after, if sent == Sent::Yes { 0 } else { CLOSED })
            }
            Op::TrySend(c, v) => {
                let (chan, value) = (pick(&world.chans, self.index(c)?)?, self.value(v)?);
                self.event(before, value)?;
                let sent = chan.try_send(value);
                self.regs[K] = i64::from(sent == Some(Sent::Yes));
                let outcome = match sent {
                    Some(Sent::Yes) => 1,
                    Some(Sent::Closed) => CLOSED,
                    None => 0,
                };
                self.event(after, outcome)
            }
            Op::Recv(c) => {
                let chan = pick(&world.chans, self.index(c)?)?;
                self.event(before, 0)?;
                let received = chan.recv().await;
                self.received(number, Some(received))
            }
            Op::TryRecv(c) => {
                let chan = pick(&world.chans, self.index(c)?)?;
                self.event(before, 0)?;
                let received = chan.try_recv();
                self.received(number, received)
            }
            Op::Close(c) => {
                let chan = pick(&world.chans, self.index(c)?)?;
                self.event(before, 0)?;
                let closed = chan.close();
                self.event(after, if closed { 0 } else { CLOSED })
            }
            Op::Log(v) => self.event(before, self.value(v)?),
            Op::WgAdd(w, n) => {
                let (wg, n) = (pick(&world.wgs, self.index(w)?)?, self.value(n)?);
                self.event(before, n)?;
                wg.add(n)?;
                self.event(after, 0)
            }
            Op::WgDone(w) => {
                let wg = pick(&world.wgs, self.index(w)?)?;
                self.event(before, 0)?;
                wg.add(-1)?;
                self.event(after, 0)
            }
            Op::WgWait(w) => {
                let wg = pick(&world.wgs, self.index(w)?)?;
                self.event(before, 0)?;
                wg.wait().await;
                self.event(after, 0)
            }
            Op::Lock(m) => {
                let mutex = pick(&world.mutexes, self.index(m)?)?;
                self.event(before, 0)?;
                mutex.lock().await;
                self.event(after, 0)
            }
            Op::Unlock(m) => {
                let mutex = pick(&world.mutexes, self.index(m)?)?;
                self.event(before, 0)?;
                mutex.unlock()?;
                self.event(after, 0)
            }
        }
    }

    /// Outcome of a receive: outer `None` would block, inner `None` is closed.
    fn received(&mut self, number: i64, outcome: Option<Option<i64>>) -> Result<(), Stop> {
        let value = outcome.flatten();
        self.regs[R] = value.unwrap_or(0);
        self.regs[K] = i64::from(value.is_some());
        let shown = outcome.map_or(WOULD_BLOCK, |value| value.unwrap_or(CLOSED));
        self.event(2 * number + 1, shown)
    }

    fn leave_loop(&mut self, end: usize) {
        self.frames.pop();
        self.pc = end;
    }

    fn event(&self, code: i64, value: i64) -> Result<(), Stop> {
        self.world.event(self.number, code, value)
    }

    fn index(&self, operand: &Operand) -> Result<usize, Stop> {
        usize::try_from(self.value(operand)?).map_err(|e| Stop::Fault(e.to_string()))
    }

    fn value(&self, operand: &Operand) -> Result<i64, Stop> {
        Ok(match operand {
            Operand::Int(n) => *n,
            Operand::Reg(reg) => self.regs[*reg],
            Operand::Own => i64::try_from(self.number).expect("instances are few"),
            Operand::Binary(operator, operands) => {
                let (left, right) = (self.value(&operands.0)?, self.value(&operands.1)?);
                let value = match operator {
                    Operator::Add => left.checked_add(right),
                    Operator::Sub => left.checked_sub(right),
                    Operator::Mul => left.checked_mul(right),
                    Operator::Div => left.checked_div(right),
                    Operator::Rem => left.checked_rem(right),
                    Operator::Eq => Some(i64::from(left == right)),
                    Operator::Ne => Some(i64::from(left != right)),
                    Operator::Lt => Some(i64::from(left < right)),
                };
                value.ok_or_else(|| Stop::Fault(format!("{operand:?} has no value")))?
            }
        })
    }
}

fn pick<T>(all: &[T], index: usize) -> Result<&T, Stop> {
    all.get(index)
        .ok_or_else(|| Stop::Fault(format!("there is no number {index}")))
}
