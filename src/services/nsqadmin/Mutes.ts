/** Warnings that administrators have muted for a time. They apply to all users, and are lost when nsqadmin stops. */
import { Clock, Context, Effect, Layer } from "effect"
import { BadRequest } from "../../protocol/http/admin/AdminFailure.ts"
import { maxMuteMinutes, type Mute, type Warning } from "../../protocol/http/admin/AdminLive.ts"
import { keyOf } from "./Notices.ts"

/** Limit for muted warnings; each is a name of a topic and of a channel. */
const maxMutes = 10_000

/** The muted warnings. */
export class Mutes extends Context.Service<Mutes, {
  /** Mutes a warning for some minutes, or ends its mute. Fails for an invalid time, and beyond 10,000 mutes. */
  readonly mute: (mute: Mute) => Effect.Effect<void, BadRequest>
  /** Returns the warnings with the end of the mute of each. */
  readonly apply: (warnings: ReadonlyArray<Omit<Warning, "muted_until">>) => ReadonlyArray<Warning>
}>()("effect-nsq/admin/Mutes") {
  static readonly layer: Layer.Layer<Mutes> = Layer.effect(
    Mutes,
    Effect.gen(function*() {
      const clock = yield* Clock.Clock
      const ends = new Map<string, number>()
      const forgetOver = (now: number): void => {
        for (const [key, end] of ends) if (end <= now) ends.delete(key)
      }
      return Mutes.of({
        mute: ({ minutes, ...subject }) =>
          Effect.suspend(() => {
            const now = clock.currentTimeMillisUnsafe()
            forgetOver(now)
            if (minutes < 0 || minutes > maxMuteMinutes) {
              return Effect.fail(BadRequest.make({ message: "INVALID_MINUTES" }))
            }
            const key = keyOf(subject)
            if (minutes === 0) ends.delete(key)
            else if (ends.size >= maxMutes) return Effect.fail(BadRequest.make({ message: "TOO_MANY_MUTES" }))
            else ends.set(key, now + minutes * 60_000)
            return Effect.void
          }),
        apply: (warnings) => {
          const now = clock.currentTimeMillisUnsafe()
          return warnings.map((warning) => {
            const end = ends.get(keyOf(warning))
            return { ...warning, muted_until: end === undefined || end <= now ? null : end }
          })
        }
      })
    })
  )
}
