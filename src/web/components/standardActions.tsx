import type { useActions } from "../core/act.ts"
import * as Format from "../core/format.ts"
import { settings } from "../core/settings.ts"
import * as Stakes from "../core/stakes.ts"
import type { Action } from "./Actions.tsx"
import { StakeList } from "./StakeList.tsx"

interface Subject {
  readonly kind: "topic" | "channel"
  readonly name: string
  readonly paused: boolean
  /** The messages that emptying loses. */
  readonly emptied: ReadonlyArray<Stakes.Stake>
  /** The messages that deleting loses. */
  readonly deleted: ReadonlyArray<Stakes.Stake>
  /** The number of channels of a topic. */
  readonly channels?: number
}

/** The name to type, if many messages are at stake, here or on nsqds that are away. */
const typed = (name: string, stakes: ReadonlyArray<Stakes.Stake>): { readonly typed?: string } =>
  Stakes.countOf(stakes) + Stakes.countOf(stakes, true) > Stakes.manyMessages ? { typed: name } : {}

/**
 * Returns the actions on a topic or a channel: pause or unpause, empty, delete. `refresh` runs after a change, `leave` after the
 * deletion, to go to a page that still exists.
 */
export const standardActions = (
  { channels = 0, deleted, emptied, kind, name, paused }: Subject,
  { act, remove }: ReturnType<typeof useActions>,
  refresh: () => void,
  leave: () => void
): ReadonlyArray<Action> => {
  const present = deleted.filter(({ away }) => away === null).length
  const where = present === 0
    ? `on ${Format.quantity(settings.nsqlookupd.length, "nsqlookupd")}`
    : `on ${Format.quantity(present, "node")}`
  const verb = paused ? "Unpause" : "Pause"
  const subject = `${kind === "topic" ? "Topic" : "Channel"} ${name}`
  const remaining: ReadonlyArray<Action> = [{
    key: "delete",
    label: `Delete ${kind}`,
    question: `Delete ${kind} ${name} ${where}?`,
    detail: (
      <>
        {channels > 0 && <p>Its {Format.quantity(channels, "channel")} will be deleted, too.</p>}
        {present === 0 && <p>Only its registrations in nsqlookupd are deleted: no reachable nsqd has this {kind}.</p>}
        <StakeList name={subject} stakes={deleted} />
      </>
    ),
    danger: true,
    ...typed(name, deleted),
    run: remove,
    done: `The ${kind} has been deleted.`,
    after: leave
  }]
  if (present === 0) return remaining
  return [
    {
      key: "pause",
      label: `${verb} ${kind}`,
      question: `${verb} ${kind} ${name} ${where}?`,
      detail: paused ? "Delivery will resume." : `Messages will wait until the ${kind} is unpaused.`,
      run: () => act(paused ? "unpause" : "pause"),
      done: `The ${kind} has been ${paused ? "unpaused" : "paused"}.`,
      after: refresh
    },
    {
      key: "empty",
      label: `Empty ${kind}`,
      question: `Empty ${kind} ${name} ${where}?`,
      detail: (
        <StakeList
          name={subject}
          stakes={emptied}
          {...(channels > 0 ? { kept: "Messages in its channels are kept." } : {})}
        />
      ),
      danger: true,
      ...typed(name, emptied),
      run: () => act("empty"),
      done: `The ${kind} has been emptied.`,
      after: refresh
    },
    ...remaining
  ]
}
