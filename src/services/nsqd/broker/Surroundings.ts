/**
 * The services that all topics and channels of a broker share.
 */
import { Effect, Random, type Scope } from "effect"
import * as Time from "../../core/Time.ts"
import { TurnClock } from "../../core/TurnClock.ts"
import { Turns } from "../../core/Turns.ts"
import { Alarms } from "./Alarms.ts"
import { DeadLetters } from "./DeadLetters.ts"
import { HeadersSeen } from "./HeadersSeen.ts"
import { makePool, type WorkerPool } from "./Worker.ts"

/** The services that topics and channels get from their broker. */
export interface Surroundings {
  readonly time: Time.Time
  readonly turnClock: TurnClock
  readonly random: (typeof Random.Random)["Service"]
  readonly alarms: Alarms
  readonly workers: WorkerPool
  readonly turns: Turns
  readonly deadLetters: DeadLetters
  readonly headersSeen: HeadersSeen
}

/** The services of the environment, with the fiber of `Alarms`, which runs until the Scope closes. */
export const make: Effect.Effect<Surroundings, never, Scope.Scope> = Effect.gen(function*() {
  const time = yield* Time.make
  const turns = yield* Turns
  return {
    time,
    turnClock: yield* TurnClock.make(time),
    turns,
    deadLetters: new DeadLetters(),
    headersSeen: new HeadersSeen(),
    random: yield* Random.Random,
    alarms: yield* Alarms.make(time, turns),
    workers: yield* makePool
  }
})
