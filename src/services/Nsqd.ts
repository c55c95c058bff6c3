/**
 * The daemon nsqd as one service. A placeholder: it checks its options, says that it started, and serves nothing.
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { NsqdOptions } from "./options/NsqdOptions.ts"
import * as NsqdOptionsCheck from "./options/NsqdOptionsCheck.ts"
import type { NsqdStartError } from "./options/NsqdStartError.ts"
import type { RuntimeOptions } from "./options/RuntimeOptions.ts"
import * as Version from "./options/Version.ts"

/** A running daemon cannot go on. */
export class NsqdFailure extends Data.TaggedError("NsqdFailure")<{ readonly message: string }> {}

/** A running nsqd. */
export class Nsqd extends Context.Service<Nsqd, {
  /** Reloads what can be reloaded without losing anything, and logs that it did. */
  readonly reload: Effect.Effect<void>
  /** Fails when the daemon cannot go on, for example because its listener broke. */
  readonly failed: Effect.Effect<never, NsqdFailure>
}>()("effect-nsq/Nsqd") {
  static readonly layer: Layer.Layer<Nsqd, NsqdStartError, RuntimeOptions> = Layer.effect(
    Nsqd,
    Effect.gen(function*() {
      const options = yield* NsqdOptions
      yield* NsqdOptionsCheck.check(options)
      yield* Effect.logInfo(Version.banner("nsqd"))
      yield* Effect.logInfo(`ID: ${options.nodeId}`)
      yield* Effect.addFinalizer(() => Effect.logInfo("NSQ: bye"))
      return Nsqd.of({
        reload: Effect.logInfo("NSQ: SIGHUP received, there is nothing to reload"),
        failed: Effect.never
      })
    })
  )
}
