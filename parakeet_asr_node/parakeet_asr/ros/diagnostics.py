"""Publishes on /diagnostics how input, engine and worker fare; docs/diagnostics.md explains it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

from parakeet_asr.ros.controls import NOT_LISTENING
from parakeet_asr.ros.duplex.report import DuplexReporter
from parakeet_asr.ros.health import INPUT_RULES, WORKER_RULES, Alarms, Increase, Level, Report
from parakeet_asr.ros.hearing import Hearing
from parakeet_asr.ros.listener import Listener
from parakeet_asr.ros.memory import resident_bytes


class Diagnostics:
    """Looks and publishes on a timer of the steady clock: a simulation that stands still is seen, too."""

    def __init__(self, node: LifecycleNode, period_s: float, listener: Callable[[], Listener | None]) -> None:
        """Publish every ``period_s``.

        Args:
            node: publishes.
            period_s: seconds between two looks.
            listener: gives the one there is now.
        """
        self._node = node
        self._listener = listener
        self._input_alarms, self._worker_alarms = Alarms(INPUT_RULES), Alarms(WORKER_RULES)
        self._input_counts, self._worker_counts = Increase(), Increase()
        self._duplex_reporter = DuplexReporter()
        self._looked_s = time.monotonic()
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", QoSProfile(depth=10))
        self._timer = node.create_timer(period_s, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _look(self) -> None:
        listener = self._listener()
        now_s = time.monotonic()
        period_s, self._looked_s = now_s - self._looked_s, now_s
        reports = {
            "input": self._input(listener),
            "engine": _engine(listener),
            "worker": self._worker(listener, period_s),
            "duplex": self._duplex(listener),
        }
        name = self._node.get_fully_qualified_name()
        message = DiagnosticArray(status=[_status(f"{name}: {k}", r) for k, r in reports.items()])
        message.header.stamp = self._node.get_clock().now().to_msg()
        self._publisher.publish(message)

    def _input(self, listener: Listener | None) -> Report:
        if listener is None or listener.hearing is None:
            return self._calm(self._input_alarms, NOT_LISTENING)
        if not listener.switches.enabled:
            return self._calm(self._input_alarms, "switched off by set_enabled")
        hearing = listener.hearing
        sound = hearing.intake.meter.look()
        counts = _input_counts(hearing)
        grown = self._input_counts.push(counts)
        found = {
            "dead air for": sound.dead_s,
            "clipping": sound.clipped_ratio,
            "gaps": grown["gaps"] + grown["lost messages"] + grown["device overflows"],
            "unusable messages": grown["unusable messages"],
        }
        if hearing.values["audio.source"] != "file":  # a file that is over is no fault
            found["no sound for"] = sound.age_s
        level, why = self._input_alarms.push(found)
        return Report(
            level,
            why or ("muted" if listener.switches.muted else "sound comes"),
            {
                "source": hearing.source.name,
                "rate (s of sound per s)": f"{sound.rate:.2f}",
                "level (dBFS RMS)": f"{sound.rms_dbfs:.1f}",
                "peak (dBFS)": f"{sound.peak_dbfs:.1f}",
                "clipped (% of samples)": f"{100 * sound.clipped_ratio:.2f}",
                "dead air (s)": f"{sound.dead_s:.1f}",
                "last sample (s ago)": f"{sound.age_s:.2f}",
                "muted (s dropped)": f"{hearing.intake.muted_s:.1f}",
                **{name: f"{count:.0f}" for name, count in counts.items()},
            },
        )

    def _worker(self, listener: Listener | None, period_s: float) -> Report:
        if listener is None:
            return self._calm(self._worker_alarms, "no model is loaded")
        stats = listener.stats()
        grown = self._worker_counts.push(
            {"dropped": stats.dropped_s, "failures": stats.failures, "busy": stats.busy_s}
        )
        load = grown["busy"] / period_s if period_s > 0 else 0.0
        found = {"queue": stats.queued_s, "real-time factor": load}
        level, why = self._worker_alarms.push(
            found | {"dropped": grown["dropped"], "failures": grown["failures"]}
        )
        values = {
            "queue (s)": f"{stats.queued_s:.2f}",
            "real-time factor": f"{load:.3f}",
            "real-time factor since activation": f"{stats.busy_s / max(stats.processed_s, 1e-9):.3f}"
            if stats.processed_s
            else "-",
            "processed (s)": f"{stats.processed_s:.1f}",
            "dropped (s)": f"{stats.dropped_s:.2f}",
            "failures": str(stats.failures),
        }
        percentiles = listener.latencies.percentiles_s()
        for name, value in zip(("p50", "p95"), percentiles or (), strict=False):
            values[f"latency {name} (s)"] = f"{value:.3f}"
        guard = listener.model.recognizer.guard
        if guard is not None:
            values["holes with speech"] = str(guard.suspicious)
            values["holes filled"] = str(guard.filled)
        return Report(level, why or "keeps up", values)

    def _duplex(self, listener: Listener | None) -> Report:
        if listener is None or listener.hearing is None:
            self._duplex_reporter.calm()
            return Report(Level.OK, NOT_LISTENING, {})
        session, duplex = listener.hearing.session, listener.hearing.duplex
        return self._duplex_reporter.report(session.duplex_options, session.stats(), duplex.speaking)

    @staticmethod
    def _calm(alarms: Alarms, message: str) -> Report:
        alarms.push({})
        return Report(Level.OK, message, {})


def _input_counts(hearing: Hearing) -> dict[str, float]:
    """What the source counts; not every source counts everything."""
    counters = {
        "messages": "received",
        "lost messages": "lost",
        "unusable messages": "bad",
        "device overflows": "overflows",
    }
    counts = {name: float(getattr(hearing.source, attribute, 0)) for name, attribute in counters.items()}
    return {"gaps": float(hearing.session.jumps), **counts}


def _engine(listener: Listener | None) -> Report:
    values = {"memory of the process (MiB)": f"{resident_bytes() / 2**20:.0f}"}
    if listener is None:
        return Report(Level.OK, "no model is loaded", values)
    spec = listener.model.spec
    values |= {
        "model": spec.name,
        "engine": listener.model.recognizer.engine.description,
        "path": str(listener.model.path),
        "load time (s)": f"{listener.load_s:.2f}",
    }
    if listener.model.note:
        return Report(Level.WARN, f"{listener.model.description}, {listener.model.note}", values)
    return Report(Level.OK, listener.model.description, values)


def _status(name: str, report: Report) -> Any:
    return DiagnosticStatus(
        level=bytes([report.level]),
        name=name,
        message=report.message,
        hardware_id=report.values.get("source", ""),
        values=[KeyValue(key=key, value=value) for key, value in report.values.items()],
    )
