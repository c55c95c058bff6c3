/**
 * A wall clock that can be set, for the effects of NTP, a suspended machine or an operator on a program's time. Timers and
 * intervals follow the TestClock and do not change.
 */
import { Clock, Context, Effect, Layer } from "effect"

/**
 * Controls the wall clock.
 *
 * @since 0.1.0
 * @category services
 */
export class WallClock extends Context.Service<WallClock, {
  /** Moves the wall clock forward, or back if `millis` is negative. */
  readonly step: (millis: number) => Effect.Effect<void>
}>()("effect-nsq/testing/WallClock") {}

/**
 * Adds the wall clock to the Clock of the environment. A broker uses it if its Layer is provided with this one:
 * `TestBroker.layer().pipe(Layer.provideMerge(WallClock.layer))`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<WallClock> = Layer.effectContext(Effect.gen(function*() {
  const clock = yield* Clock.clockWith(Effect.succeed)
  let offset = 0
  const currentTimeMillisUnsafe = () => clock.currentTimeMillisUnsafe() + offset
  const currentTimeNanosUnsafe = () => clock.currentTimeNanosUnsafe() + BigInt(offset) * 1_000_000n
  const stepped: Clock.Clock = {
    // Keeps the other methods of a TestClock.
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
