/**
 * Profiles of the running process, made by V8's own inspector, which is loaded only when somebody asks. One profile at a
 * time: profiling slows everything down, and two would measure each other. Profiles name functions and hold no messages.
 */
import { Data, type Duration, Effect, Semaphore } from "effect"
import type { Session } from "node:inspector/promises"

/** A profile is being made already. */
export class ProfilerBusy extends Data.TaggedError("ProfilerBusy") {}

/** An open inspector session; closing it also stops what it has started. */
const withSession = <A>(use: (session: Session) => Effect.Effect<A>): Effect.Effect<A> =>
  Effect.acquireUseRelease(
    Effect.promise(async () => {
      const { Session } = await import("node:inspector/promises")
      const session = new Session()
      session.connect()
      return session
    }),
    use,
    (session) => Effect.sync(() => session.disconnect())
  )

export const make = Effect.gen(function*() {
  const turn = yield* Semaphore.make(1)

  const alone = <A>(profile: Effect.Effect<A>): Effect.Effect<A, ProfilerBusy> =>
    Effect.flatMap(
      turn.withPermitsIfAvailable(1)(profile),
      (made) => made._tag === "None" ? Effect.fail(new ProfilerBusy()) : Effect.succeed(made.value)
    )

  return {
    /** Where the time goes: the text of a `.cpuprofile`. */
    cpu: (duration: Duration.Duration): Effect.Effect<string, ProfilerBusy> =>
      alone(withSession((session) =>
        Effect.gen(function*() {
          yield* Effect.promise(() => session.post("Profiler.enable"))
          yield* Effect.promise(() => session.post("Profiler.start"))
          yield* Effect.sleep(duration)
          const { profile } = yield* Effect.promise(() => session.post("Profiler.stop"))
          return JSON.stringify(profile)
        })
      )),
    /** Who allocates memory: the text of a `.heapprofile`. */
    allocations: (duration: Duration.Duration): Effect.Effect<string, ProfilerBusy> =>
      alone(withSession((session) =>
        Effect.gen(function*() {
          yield* Effect.promise(() => session.post("HeapProfiler.startSampling"))
          yield* Effect.sleep(duration)
          const { profile } = yield* Effect.promise(() => session.post("HeapProfiler.stopSampling"))
          return JSON.stringify(profile)
        })
      ))
  }
})
