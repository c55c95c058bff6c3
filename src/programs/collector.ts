/**
 * Settings of V8's garbage collector for daemons, whose garbage is mostly buffers of messages: outside of the JavaScript heap, and
 * many times its size.
 */
import { Effect } from "effect"
import process from "node:process"
import * as V8 from "node:v8"

/** Garbage that a small heap may have before V8 marks it, in bytes, that of buffers included. */
const roomBytes = 64 * 1024 * 1024
/** Larger heaps have at least as much room by V8's own rules. */
const smallBytes = 128 * 1024 * 1024
const maxPercent = 450

/**
 * Makes V8 count the bytes of waiting messages, which are outside the JavaScript heap, in proportion to its limits. By default
 * V8 marks the whole heap for every 64 MB that arrive, regardless of the heap's size: 0.1 s of work per second of publishing.
 * V8 of Node 22 lacks the flag and would print a warning.
 */
const countInProportion = Effect.sync(() => {
  if (Number.parseInt(process.versions.v8) >= 13) V8.setFlagsFromString("--external-memory-accounted-in-global-limit")
})

/**
 * How much a heap may grow before V8 marks it, in percent; 0 lets V8 decide. V8 marks a heap of 10 MB for each 30 MB of buffers:
 * before its young generation is collected, which would free them at a fraction of the cost.
 */
export const growthPercent = (heapBytes: number, externalBytes: number): number =>
  heapBytes + externalBytes > smallBytes
    ? 0
    : Math.min(maxPercent, Math.ceil(100 * roomBytes / (heapBytes + externalBytes)))

/** Keeps the settings right while the heap changes; never completes. */
export const tune: Effect.Effect<never> = Effect.gen(function*() {
  yield* countInProportion
  let current = 0
  while (true) {
    const { external_memory, used_heap_size } = V8.getHeapStatistics()
    const wanted = growthPercent(used_heap_size, external_memory)
    if (wanted === 0 ? current > 0 : Math.abs(wanted - current) > current / 10) {
      current = wanted
      V8.setFlagsFromString(`--heap-growing-percent=${wanted}`)
    }
    yield* Effect.sleep("1 second")
  }
})
