/**
 * The memory of this process under the nine names NSQ takes from Go's runtime. V8 keeps other books than Go, so each number
 * is the nearest thing that V8 knows; the fields say which. Pauses of the garbage collector are noted as they happen, all
 * else is asked for when somebody looks.
 */
import { Context, Effect, Layer } from "effect"
import { PerformanceObserver } from "node:perf_hooks"
import * as V8 from "node:v8"

/** In the order in which NSQ writes them, whole numbers all. */
export interface MemoryStats {
  /** Always 0: V8 does not count objects. */
  readonly heap_objects: number
  /** Bytes of the V8 heap that hold nothing at the moment. */
  readonly heap_idle_bytes: number
  /** Bytes in use: V8 objects, and the buffers outside its heap, where messages are. */
  readonly heap_in_use_bytes: number
  /** Bytes of the V8 heap that the operating system has (back). */
  readonly heap_released_bytes: number
  /** The longest of the last 256 pauses for garbage collection. */
  readonly gc_pause_usec_100: number
  readonly gc_pause_usec_99: number
  readonly gc_pause_usec_95: number
  /** The largest size V8 lets its heap grow to; V8 has no other target that is known in advance. */
  readonly next_gc_bytes: number
  /** Collections of any kind since the daemon started. */
  readonly gc_total_runs: number
}

/** As many as Go remembers. */
const maxPauses = 256

/** NSQ's percentile of sorted values, 0 when there are none. */
export const percentile = (percent: number, sorted: ReadonlyArray<number>): number => {
  const index = Math.floor(percent / 100 * sorted.length + 0.5)
  return sorted[Math.min(index, sorted.length - 1)] ?? 0
}

/** The last pauses, in ms. */
export class GcPauses {
  total = 0
  private readonly last: Array<number> = []

  add(millis: number): void {
    this.last[this.total % maxPauses] = millis
    this.total++
  }

  /** Whole microseconds. */
  percentiles(percents: ReadonlyArray<number>): ReadonlyArray<number> {
    const sorted = this.last.toSorted((a, b) => a - b)
    return percents.map((percent) => Math.floor(percentile(percent, sorted) * 1000))
  }
}

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
