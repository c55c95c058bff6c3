/** The common part of PUB, MPUB and DPUB: authorization, publishing, and the responses. */
import { Effect } from "effect"
import type { Publish } from "../../../../protocol/client/Decoded.ts"
import { protocolError } from "../../../../protocol/client/ProtocolError.ts"
import * as Completion from "../../../core/Completion.ts"
import { Publisher } from "../../broker/Publisher.ts"
import type { Access } from "../connection/Access.ts"
import type { CommandHandler, Pending } from "../connection/CommandHandler.ts"
import { everyState } from "../connection/ConnectionState.ts"
import type { Session } from "../connection/Session.ts"

/**
 * The handler of one publishing command. `repliesOf` returns the number of OKs for a number of messages: one per
 * message for pipelined PUBs, one for a whole MPUB.
 */
export const make = (
  name: Publish["_tag"],
  access: Access,
  repliesOf: (messages: number) => number
): Effect.Effect<CommandHandler<Publish>, never, Publisher> =>
  Effect.map(Publisher, (publisher): CommandHandler<Publish> => {
    const accepted = (session: Session, { topic }: Publish, messages: number): void => {
      session.notePublished(topic, messages)
      session.outbox.ok(repliesOf(messages))
    }

    const publish = (session: Session, command: Publish): Pending => {
      const { bodies, deferMillis, topic } = command
      const rest = publisher.publish(topic, bodies, deferMillis)
      if (rest === undefined) {
        accepted(session, command, bodies.count)
        return undefined
      }
      return Effect.matchEffect(rest, {
        onSuccess: () => Effect.sync(() => accepted(session, command, bodies.count)),
        onFailure: (error) => {
          // Some pipelined PUBs may have been accepted: those get their OKs, and the next one the error.
          if (name === "PUB" && error._tag === "BrokerError" && error.accepted > 0) {
            accepted(session, command, error.accepted)
          }
          return Effect.fail(protocolError(`E_${name}_FAILED`, `${name} failed ${error.message}`))
        }
      })
    }

    return {
      permittedIn: everyState,
      describe: ({ topic }) => `${name} ${topic}`,
      execute: (session, command) => {
        const check = access.check(session, name, command.topic, "")
        return check === undefined
          ? publish(session, command)
          : Completion.andThen(check, () => publish(session, command))
      }
    }
  })
