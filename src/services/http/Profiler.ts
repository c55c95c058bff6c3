/**
 * Profiles of the running process, made by V8's inspector, which is loaded on demand. Only one profile at a time: profiling slows
 * the process down, and two profiles would measure each other. Profiles contain names of functions, no messages.
 */
import { Data, type Duration, Effect, Semaphore } from "effect"
import type { Session } from "node:inspector/promises"

/** Another profile is in progress. */
export class ProfilerBusy extends Data.TaggedError("ProfilerBusy") {}

/** Runs `use` with an inspector session; closing the session also stops its profiles. */
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

/** Creates a profiler. */
export const make = Effect.gen(function*() {
  const turn = yield* Semaphore.make(1)

  const alone = <A>(profile: Effect.Effect<A>): Effect.Effect<A, ProfilerBusy> =>
    Effect.flatMap(
      turn.withPermitsIfAvailable(1)(profile),
      (made) => made._tag === "None" ? Effect.fail(new ProfilerBusy()) : Effect.succeed(made.value)
    )

  return {
    /** Returns a CPU profile: the text of a `.cpuprofile` file. */
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
    /** Returns a profile of allocations: the text of a `.heapprofile` file. */
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
