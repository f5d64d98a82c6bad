//! The usual `process_*` metrics, read from `/proc/self` when scraped (proc_pid_stat(5)).

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// Reads the process's own figures.
#[derive(Debug)]
pub(super) struct Process;

/// What `/proc/self` says.
struct Reading {
    cpu_seconds: f64,
    resident_bytes: i64,
    virtual_bytes: i64,
    threads: i64,
    /// Seconds since 1970.
    started_at: f64,
    open_files: i64,
    /// As many files as may be open; none without a bound.
    most_files: Option<i64>,
}

/// Kernel ticks per second as user space sees them: fixed at 100 on every Linux architecture.
const TICKS: f64 = 100.0;

fn read() -> Option<Reading> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name may hold spaces and brackets; the fields begin after the last bracket.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |at: usize| fields.get(at).and_then(|field| field.parse::<i64>().ok());
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kibibytes: i64 = resident.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    let system = std::fs::read_to_string("/proc/stat").ok()?;
    let booted = system.lines().find_map(|line| line.strip_prefix("btime "))?;
    let ticks: f64 = fields.get(19)?.parse().ok()?;
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let files = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    Some(Reading {
        // Whole ticks of a process's life fit a float exactly for thousands of years.
        cpu_seconds: f64::from(i32::try_from(number(11)? + number(12)?).unwrap_or(i32::MAX))
            / TICKS,
        resident_bytes: kibibytes * 1024,
        virtual_bytes: number(20)?,
        threads: number(17)?,
        started_at: booted.trim().parse::<f64>().ok()? + ticks / TICKS,
        open_files: i64::try_from(std::fs::read_dir("/proc/self/fd").ok()?.count()).ok()?,
        most_files: files.split_whitespace().next()?.parse().ok(),
    })
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> Result<(), std::fmt::Error> {
        let Some(reading) = read() else { return Ok(()) };
        let mut gauge = |name: &str, help: &str, value: i64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        gauge("process_resident_memory_bytes", "Resident memory", reading.resident_bytes)?;
        gauge("process_virtual_memory_bytes", "Virtual memory", reading.virtual_bytes)?;
        gauge("process_threads", "Threads", reading.threads)?;
        gauge("process_open_fds", "Open files and sockets", reading.open_files)?;
        if let Some(most) = reading.most_files {
            gauge("process_max_fds", "As many as may be open", most)?;
        }
        let started = ConstGauge::new(reading.started_at);
        let (name, help) = ("process_start_time_seconds", "When it started, since 1970");
        started.encode(encoder.encode_descriptor(name, help, None, started.metric_type())?)?;
        let cpu = ConstCounter::new(reading.cpu_seconds);
        let name = "process_cpu_seconds";
        cpu.encode(encoder.encode_descriptor(name, "Processor time", None, cpu.metric_type())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_tells_of_this_process() {
        let reading = read().expect("/proc is mounted where tests run");
        assert!(reading.resident_bytes > 100_000);
        assert!(reading.virtual_bytes >= reading.resident_bytes);
        assert!(reading.threads >= 1);
        assert!(reading.open_files >= 3);
        let age = crate::system::clock::now().seconds() as f64 - reading.started_at;
        assert!((-2.0..3600.0).contains(&age), "started {age} seconds ago");
    }
}
