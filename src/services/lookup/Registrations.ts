/**
 * The registration database as the service that nsqlookupd's TCP and HTTP servers share.
 */
import { Context, Effect, Layer, PubSub } from "effect"
import * as Time from "../broker/Time.ts"
import { LookupdOptions } from "../options/LookupdOptions.ts"
import { RegistrationDatabase } from "./RegistrationDatabase.ts"

export class Registrations extends Context.Service<Registrations, RegistrationDatabase>()(
  "effect-nsq/lookup/Registrations"
) {
  static readonly layer: Layer.Layer<Registrations> = Layer.effect(
    Registrations,
    Effect.gen(function*() {
      return new RegistrationDatabase(yield* Time.make, yield* LookupdOptions, yield* PubSub.unbounded<string>())
    })
  )
}
