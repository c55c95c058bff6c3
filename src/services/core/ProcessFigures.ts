/**
 * Figures of this process and its machine: memory, delay of the event loop, file descriptors. Nothing is measured until it is read.
 * The delay needs a timer: it is measured in intervals from the first reading on, until it is not read for a minute.
 */
import { Clock, Context, Effect, FiberHandle, Layer } from "effect"
import { readdir, readFile } from "node:fs/promises"
import { totalmem } from "node:os"
import { monitorEventLoopDelay } from "node:perf_hooks"
import process from "node:process"
import { getHeapStatistics } from "node:v8"

/** Memory in bytes. */
export interface MemoryFigures {
  /** Resident memory of the process. */
  readonly rss: number
  readonly heapUsed: number
  readonly heapTotal: number
  /** The largest size of V8's heap. */
  readonly heapLimit: number
  /** Buffers outside the heap. */
  readonly external: number
  /** What the process may still take, of its container or of the machine. */
  readonly available: number
  /** The memory of the container or of the machine. */
  readonly total: number
}

/** How late the event loop ran what was due, over an interval, in nanoseconds. */
export interface DelayFigures {
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Length of the interval in seconds. */
  readonly seconds: number
}

/** The file descriptors of the process. */
export interface FileFigures {
  readonly open: number
  readonly limit: number
}

/** The measurement of one interval; values in nanoseconds, which include the resolution. */
export interface DelayHistogram {
  readonly count: number
  readonly max: number
  readonly percentile: (percent: number) => number
  readonly enable: () => void
  readonly disable: () => void
  readonly reset: () => void
}

/** Interval of the timer that measures the delay, in milliseconds. */
const resolution = 20

/** Length of an interval, in seconds. */
const intervalSeconds = 10

/** The measurement ends if it is not read for this time, in nanoseconds. */
const idleNanos = 60_000_000_000n

const delayOf = (histogram: DelayHistogram): DelayFigures | undefined => {
  if (histogram.count === 0) return undefined
  const above = (nanos: number): number => Math.max(0, Math.round(nanos - resolution * 1e6))
  return {
    p50: above(histogram.percentile(50)),
    p99: above(histogram.percentile(99)),
    max: above(histogram.max),
    seconds: intervalSeconds
  }
}

const readMemory = (): MemoryFigures => {
  const { external, heapTotal, heapUsed, rss } = process.memoryUsage()
  const machine = totalmem()
  // Without a limit it is 0, or more than the machine has.
  const constrained = process.constrainedMemory()
  return {
    rss,
    heapUsed,
    heapTotal,
    heapLimit: getHeapStatistics().heap_size_limit,
    external,
    available: process.availableMemory(),
    total: constrained > 0 && constrained < machine ? constrained : machine
  }
}

/** As Linux reports them. */
const readFiles: Effect.Effect<FileFigures | undefined> = Effect.tryPromise(async () => {
  const [open, limits] = await Promise.all([readdir("/proc/self/fd"), readFile("/proc/self/limits", "utf8")])
  const soft = /^Max open files +(\d+)/m.exec(limits)?.[1]
  return soft === undefined ? undefined : { open: open.length, limit: Number(soft) }
}).pipe(Effect.orElseSucceed(() => undefined))

/** Listing very many descriptors takes a moment. */
const filesKept = "5 seconds"

/** The figures of this process and its machine. */
export class ProcessFigures extends Context.Service<ProcessFigures, {
  readonly memory: () => MemoryFigures
  /** The delay of the event loop in the last interval; `undefined` before the first one is over. */
  readonly delay: Effect.Effect<DelayFigures | undefined>
  /** `undefined` where the operating system does not tell. A result is kept for 5 seconds. */
  readonly files: Effect.Effect<FileFigures | undefined>
}>()("effect-nsq/core/ProcessFigures") {
  /** Measures the delay with this histogram. */
  static readonly layerWith = (makeHistogram: () => DelayHistogram): Layer.Layer<ProcessFigures> =>
    Layer.effect(
      ProcessFigures,
      Effect.gen(function*() {
        const measuring = yield* FiberHandle.make<void>()
        let last: DelayFigures | undefined
        let readAt = 0n

        const measure = Effect.acquireUseRelease(
          Effect.sync(() => {
            const histogram = makeHistogram()
            histogram.enable()
            return histogram
          }),
          Effect.fnUntraced(function*(histogram) {
            while ((yield* Clock.monotonicTimeNanos) - readAt <= idleNanos) {
              yield* Effect.sleep(`${intervalSeconds} seconds`)
              last = delayOf(histogram)
              histogram.reset()
            }
          }),
          (histogram) =>
            Effect.sync(() => {
              histogram.disable()
              last = undefined
            })
        )

        const delay = Effect.gen(function*() {
          readAt = yield* Clock.monotonicTimeNanos
          yield* FiberHandle.run(measuring, measure, { onlyIfMissing: true })
          return last
        })

        return { memory: readMemory, delay, files: yield* Effect.cachedWithTTL(readFiles, filesKept) }
      })
    )

  static readonly layer: Layer.Layer<ProcessFigures> = ProcessFigures.layerWith(() =>
    monitorEventLoopDelay({ resolution })
  )
}
