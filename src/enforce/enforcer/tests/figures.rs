//! Measurements of the loop, with the kernel: what they print is read, not tested.

use super::*;

/// The time that the calling thread had a processor, which other load does not change.
fn processor_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(stat.split(' ').next().unwrap().parse().unwrap())
}

fn measured<T>(what: &str, deed: impl FnOnce() -> T) -> T {
    let (start, processor) = (clock::instant(), processor_time());
    let outcome = deed();
    let (wall, processor) = (start.elapsed(), processor_time() - processor);
    println!("{what}: {processor:?} of processor time, {wall:?} in all");
    outcome
}

/// Not a test but a measurement: `cargo test figures -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement; it prints figures"]
fn figures() {
    isolated(|| {
        // The loop's own steps on this thread, without the queue.
        let (_orders, inbox) = queue(16).unwrap();
        let nftables = Nftables::open(options()).unwrap();
        let mut enforcer = Enforcer::new(
            nftables,
            inbox,
            SLOW,
            Metrics::default().enforce.of("nftables"),
            Status::default(),
        );
        let mut told = |what: &str, change: Change| {
            let order = vec![Order::Change(change, None)];
            measured(what, || {
                enforcer.accept(order);
                enforcer.listen();
                enforcer.step();
                enforcer.finish();
            });
            assert_eq!(enforcer.status.condition(), Condition::InSync);
        };
        told("replace with 10k", Change::Replace(many(10_000, 600)));
        {
            let mut spans: Vec<_> = (0..1000_u32)
                .map(|n| {
                    let one = ban(&IpAddr::V4((0x0a00_0000 + n).into()).to_string(), 600);
                    let order = vec![Order::Change(Change::Ban(vec![one]), None)];
                    let start = clock::instant();
                    enforcer.accept(order);
                    enforcer.listen();
                    enforcer.step();
                    start.elapsed()
                })
                .collect();
            spans.sort_unstable();
            println!("one ban in 10k: p50 {:?} p99 {:?}", spans[500], spans[990]);
        }
        let mut told = |what: &str, change: Change| {
            let order = vec![Order::Change(change, None)];
            measured(what, || {
                enforcer.accept(order);
                enforcer.listen();
                enforcer.step();
                enforcer.finish();
            });
            assert_eq!(enforcer.status.condition(), Condition::InSync);
        };
        let bans =
            (0..10_000_u32).map(|n| ban(&IpAddr::V4((0x0e00_0000 + n).into()).to_string(), 600));
        told("10k bans at once into 10k", Change::Ban(bans.collect()));
        let all = many(100_000, 600);
        told("replace with 100k", Change::Replace(all.clone()));
        told("replace with the same 100k", Change::Replace(all));
        told("replace with 100k, all ends changed", Change::Replace(many(100_000, 700)));
        let nets = (0..10_000_u32)
            .map(|n| ban(&format!("{}/28", IpAddr::V4((0x2000_0000 + n * 32).into())), 600));
        told("10k prefixes at once", Change::Ban(nets.collect()));
        told("one prefix more", Change::Ban(vec![ban("10.0.0.0/8", 600)]));
        measured("prepare", || enforcer.backend.prepare()).unwrap();
        measured("list 110k", || enforcer.backend.list()).unwrap();
        for deed in ["nft flush set inet weir ban4", "nft flush ruleset"] {
            run(deed);
            // A second repair keeps its distance from the first.
            std::thread::sleep(BREATH);
            measured(&format!("110k healed after `{deed}`"), || {
                enforcer.listen();
                enforcer.step();
                enforcer.finish();
            });
        }
        assert!(shown("ban4").len() == 100_000 && shown("ban4_net").len() == 10_001);
    });
}

/// Not a test but a measurement: how long bans take with 100,000 in the set, while the timer has
/// all of them listed again and again.
#[test]
#[ignore = "a measurement; it prints figures"]
fn figures_of_bans_beside_listings() {
    isolated(|| {
        // The kernel call alone.
        let mut nftables = Nftables::open(options()).unwrap();
        nftables.prepare().unwrap();
        let until = clock::now().plus(600 * SECOND);
        let add = |n: u32| [Edit::Add(Element::Host(IpAddr::V4((0x0c00_0000 + n).into())), until)];
        let all: Vec<_> = (0..100_000).map(|n| Edit::Add(Element::Host(nth(n)), until)).collect();
        nftables.apply(&all).unwrap();
        let mut calls: Vec<_> = (0..2000)
            .map(|n| {
                let start = clock::instant();
                nftables.apply(&add(n)).unwrap();
                start.elapsed()
            })
            .collect();
        calls.sort_unstable();
        println!("one ban in 100k, the call: p50 {:?} p99 {:?}", calls[1000], calls[1980]);

        // The loop, from the order to the kernel's word. It adopts what is there.
        let pace = Pace { reconcile: Duration::from_millis(500), count: Duration::from_secs(5) };
        let running = Running::start(nftables, pace);
        let begun = clock::instant();
        running.settle(Change::Replace(many(100_000, 600)));
        println!("100k adopted in {:?}", begun.elapsed());
        let before = running.metrics.reconciles.get();
        let mut spans: Vec<_> = (0..3000_u32)
            .map(|n| {
                let batches = running.metrics.batches.get();
                let one = ban(&IpAddr::V4((0x0d00_0000 + n).into()).to_string(), 600);
                let start = clock::instant();
                running.send(Change::Ban(vec![one]));
                while running.metrics.batches.get() == batches {
                    std::hint::spin_loop();
                }
                let span = start.elapsed();
                std::thread::sleep(Duration::from_millis(2));
                span
            })
            .collect();
        spans.sort_unstable();
        let (p50, p99, most) = (spans[1500], spans[2970], spans[2999]);
        let listings = running.metrics.reconciles.get() - before;
        println!("beside {listings} listings of 100k: p50 {p50:?} p99 {p99:?} longest {most:?}");
        assert_eq!(running.metrics.drift.get(), 0);
        running.stop();
    });
}
