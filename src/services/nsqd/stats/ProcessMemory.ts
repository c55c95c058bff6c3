/**
 * The memory of this process under the nine names that NSQ takes from Go's runtime. V8 has other figures than Go, so
 * each field is V8's nearest equivalent, as `StatsResponse.Memory` documents. Garbage collection pauses are recorded as they happen;
 * the rest is read on request.
 */
import { Context, Effect, Layer } from "effect"
import { PerformanceObserver } from "node:perf_hooks"
import * as V8 from "node:v8"
import type { Memory } from "../../../protocol/http/StatsResponse.ts"

/**
 * The memory of this process, in NSQ's order; all are integers.
 *
 * @since 0.1.0
 * @category models
 */
export type MemoryStats = Memory

/** As in Go. */
const maxPauses = 256

/** NSQ's percentile of sorted values; 0 for an empty list. */
export const percentile = (percent: number, sorted: ReadonlyArray<number>): number => {
  const index = Math.floor(percent / 100 * sorted.length + 0.5)
  return sorted[Math.min(index, sorted.length - 1)] ?? 0
}

/** The most recent pauses, in ms. */
export class GcPauses {
  total = 0
  private readonly last: Array<number> = []

  add(millis: number): void {
    this.last[this.total % maxPauses] = millis
    this.total++
  }

  /** Returns percentiles in whole microseconds. */
  percentiles(percents: ReadonlyArray<number>): ReadonlyArray<number> {
    const sorted = this.last.toSorted((a, b) => a - b)
    return percents.map((percent) => Math.floor(percentile(percent, sorted) * 1000))
  }
}

/**
 * The memory of this process, as `/stats` and statsd report it.
 *
 * @since 0.1.0
 * @category services
 */
export class ProcessMemory extends Context.Service<ProcessMemory, {
  readonly read: () => MemoryStats
}>()("effect-nsq/http/ProcessMemory") {
  static readonly layer = Layer.effect(
    ProcessMemory,
    Effect.gen(function*() {
      const pauses = new GcPauses()
      yield* Effect.acquireRelease(
        Effect.sync(() => {
          const observer = new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) pauses.add(entry.duration)
          })
          observer.observe({ entryTypes: ["gc"] })
          return observer
        }),
        (observer) => Effect.sync(() => observer.disconnect())
      )
      return {
        read: () => {
          const heap = V8.getHeapStatistics()
          const [longest = 0, p99 = 0, p95 = 0] = pauses.percentiles([100, 99, 95])
          return {
            heap_objects: 0,
            heap_idle_bytes: Math.max(0, heap.total_heap_size - heap.used_heap_size),
            heap_in_use_bytes: heap.used_heap_size + heap.external_memory,
            heap_released_bytes: Math.max(0, heap.total_heap_size - heap.total_physical_size),
            gc_pause_usec_100: longest,
            gc_pause_usec_99: p99,
            gc_pause_usec_95: p95,
            next_gc_bytes: heap.heap_size_limit,
            gc_total_runs: pauses.total
          }
        }
      }
    })
  )
}
