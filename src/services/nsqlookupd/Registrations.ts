/**
 * The registration database as a service that nsqlookupd's TCP and HTTP servers share.
 */
import { Context, Effect, Layer, PubSub } from "effect"
import * as Time from "../core/Time.ts"
import * as Options from "./NsqlookupdOptions.ts"
import { RegistrationDatabase } from "./RegistrationDatabase.ts"

/** Interval at which unused names are checked. */
const forgetInterval = "1 minute"

/**
 * The registrations of nsqlookupd.
 *
 * @since 0.2.0
 * @category services
 */
export class Registrations extends Context.Service<Registrations, RegistrationDatabase>()(
  "effect-nsq/lookup/Registrations"
) {
  static readonly layer: Layer.Layer<Registrations> = Layer.effect(
    Registrations,
    Effect.gen(function*() {
      const database = new RegistrationDatabase(
        yield* Time.make,
        yield* Options.reads.read(...Options.ofRegistrations),
        yield* PubSub.unbounded<string>()
      )
      yield* Effect.sleep(forgetInterval).pipe(
        Effect.andThen(Effect.sync(() => database.forgetUnused())),
        Effect.tap((count) =>
          count === 0 ? Effect.void : Effect.logInfo(`DB: forgot ${count} topics and channels without producers`)
        ),
        Effect.forever,
        Effect.forkScoped
      )
      return database
    })
  )
}
