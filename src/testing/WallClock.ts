/**
 * A wall clock that can be set: what NTP, a suspended machine or an operator do to a program's time. Timers and intervals
 * keep following the TestClock and notice nothing.
 */
import { Clock, Context, Effect, Layer } from "effect"

export class WallClock extends Context.Service<WallClock, {
  /** Sets the wall clock forward, or back where `millis` is negative. */
  readonly step: (millis: number) => Effect.Effect<void>
}>()("effect-nsq/testing/WallClock") {}

/**
 * Puts a wall clock of its own over the Clock of the environment. A broker has it when its Layer is provided with this one:
 * `TestBroker.layer().pipe(Layer.provideMerge(WallClock.layer))`.
 */
export const layer: Layer.Layer<WallClock> = Layer.effectContext(Effect.gen(function*() {
  const clock = yield* Clock.clockWith(Effect.succeed)
  let offset = 0
  const currentTimeMillisUnsafe = () => clock.currentTimeMillisUnsafe() + offset
  const currentTimeNanosUnsafe = () => clock.currentTimeNanosUnsafe() + BigInt(offset) * 1_000_000n
  const stepped: Clock.Clock = {
    // What a TestClock can do besides stays possible.
    ...clock,
    currentTimeMillisUnsafe,
    currentTimeNanosUnsafe,
    currentTimeMillis: Effect.sync(currentTimeMillisUnsafe),
    currentTimeNanos: Effect.sync(currentTimeNanosUnsafe)
  }
  return Context.make(WallClock, {
    step: (millis) =>
      Effect.sync(() => {
        offset += Math.round(millis)
      })
  }).pipe(Context.add(Clock.Clock, stepped))
}))
