/**
 * Questions to many daemons at once, with bounded concurrency. NSQ's rule (section 2 of the nsqadmin notes): what some of them
 * answer counts, with a warning that names the others; when none answers, or there is none to ask, the question has failed.
 */
import { Effect, Result, Schema } from "effect"
import * as BoundedResponse from "../http/BoundedResponse.ts"
import { DaemonError } from "../http/DaemonHttp.ts"

/** How many daemons are asked at the same time: a few that do not reply must not make all others wait. */
const concurrency = 64

/** What could be found out, and who could not be asked. */
export interface Gathered<A> {
  readonly value: A
  readonly failures: ReadonlyArray<DaemonError>
}

/** Nobody could be asked; the message has what each of them said. */
export class ClusterError extends Schema.TaggedError<ClusterError>()("ClusterError", {
  reason: Schema.String,
  /** Who was asked, with what each of them said. */
  failures: Schema.Array(DaemonError).pipe(Schema.withConstructorDefault(Effect.succeed([])))
}) {
  override get message(): string {
    return this.reason
  }
}

/** What each daemon said, a line each. */
export const reasons = (failures: ReadonlyArray<DaemonError>): string =>
  failures.map(({ message }) => message).join("\n")

/** Asks all; the answers keep the order of the daemons. `kind` is for the message. */
export const ask = <A, B>(
  daemons: ReadonlyArray<A>,
  kind: "nsqd" | "nsqlookupd",
  question: (daemon: A) => Effect.Effect<B, DaemonError>
): Effect.Effect<Gathered<ReadonlyArray<B>>, ClusterError> =>
  Effect.flatMap(
    Effect.suspend(() =>
      Effect.forEach(daemons, (daemon) => Effect.result(question(daemon)), { concurrency }).pipe(
        Effect.provideService(BoundedResponse.Budget, { used: 0 })
      )
    ),
    (results) => {
      const value = results.filter(Result.isSuccess).map(({ success }) => success)
      const failures = results.filter(Result.isFailure).map(({ failure }) => failure)
      return value.length > 0
        ? Effect.succeed({ value, failures })
        : Effect.fail(new ClusterError({ reason: `failed to query any ${kind}: ${reasons(failures)}`, failures }))
    }
  )

/** Has each daemon do something, at the same time where NSQ goes from one to the next; returns who did not. */
export const order = <A>(
  daemons: ReadonlyArray<A>,
  act: (daemon: A) => Effect.Effect<void, DaemonError>
): Effect.Effect<ReadonlyArray<DaemonError>> =>
  Effect.map(
    Effect.forEach(daemons, (daemon) => Effect.result(act(daemon)), { concurrency }),
    (results) => results.filter(Result.isFailure).map(({ failure }) => failure)
  )

export const map = <A, B>({ failures, value }: Gathered<A>, f: (value: A) => B): Gathered<B> => ({
  failures,
  value: f(value)
})
