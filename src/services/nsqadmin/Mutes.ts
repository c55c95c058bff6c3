/**
 * Warnings that administrators have muted for a time. They apply to all users. With `--history-dir` they are in a file there, so that a
 * restart does not end them; without it they are lost when nsqadmin stops.
 */
import { Clock, Context, Effect, Layer, Schema, Semaphore } from "effect"
import { BadRequest } from "../../protocol/http/admin/AdminFailure.ts"
import { maxMuteMinutes, Mute, type Warning } from "../../protocol/http/admin/AdminLive.ts"
import { keyOf } from "./Notices.ts"
import { NsqadminOptions } from "./NsqadminOptions.ts"
import * as StateFile from "./StateFile.ts"

/** Limit for muted warnings; each is a name of a topic and of a channel. */
const maxMutes = 10_000

const { minutes: _, ...subjectFields } = Mute.fields

/** A muted warning. `until` is the end of the mute in Unix milliseconds. */
const Muted = Schema.Struct({ ...subjectFields, until: Schema.Finite })
type Muted = typeof Muted.Type

/** The muted warnings. */
export class Mutes extends Context.Service<Mutes, {
  /**
   * Mutes a warning for some minutes, or ends its mute. With `--history-dir` it completes after the file is written, or after the log
   * says why it cannot be. Fails for an invalid time, and beyond 10,000 mutes.
   */
  readonly mute: (mute: Mute) => Effect.Effect<void, BadRequest>
  /** Returns the warnings with the end of the mute of each. */
  readonly apply: (warnings: ReadonlyArray<Omit<Warning, "muted_until">>) => ReadonlyArray<Warning>
}>()("effect-nsq/admin/Mutes") {
  static readonly layer: Layer.Layer<Mutes> = Layer.effect(
    Mutes,
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const { historyDir } = yield* NsqadminOptions
      const file = StateFile.make(historyDir, "mutes.json", Muted, "warnings that were muted are shown again")
      const turn = yield* Semaphore.make(1)
      const muted = new Map((yield* file.read).map((one) => [keyOf(one), one]))
      const forgetOver = (now: number): void => {
        for (const [key, { until }] of muted) if (until <= now) muted.delete(key)
      }
      /** What is written is the state at that time, so that the last of several changes is in the file. */
      const write = turn.withPermits(1)(Effect.suspend(() => file.write([...muted.values()])))
      return Mutes.of({
        mute: ({ minutes, ...subject }) =>
          Effect.suspend(() => {
            const now = clock.currentTimeMillisUnsafe()
            forgetOver(now)
            if (minutes < 0 || minutes > maxMuteMinutes) {
              return Effect.fail(BadRequest.make({ message: "INVALID_MINUTES" }))
            }
            const key = keyOf(subject)
            if (minutes === 0) muted.delete(key)
            else if (muted.size >= maxMutes) return Effect.fail(BadRequest.make({ message: "TOO_MANY_MUTES" }))
            else muted.set(key, { ...subject, until: now + minutes * 60_000 })
            return Effect.uninterruptible(write)
          }),
        apply: (warnings) => {
          const now = clock.currentTimeMillisUnsafe()
          return warnings.map((warning) => {
            const until = muted.get(keyOf(warning))?.until
            return { ...warning, muted_until: until === undefined || until <= now ? null : until }
          })
        }
      })
    })
  )
}
