/** What the ledger found, as numbers of messages on channels unless stated otherwise. */
import type { IdReport } from "./Ids.ts"

export interface Report extends IdReport {
  readonly published: number
  readonly acknowledged: number
  /** Published without a reply: the daemon may or may not have these messages. */
  readonly uncertain: number
  readonly deliveries: number
  readonly finished: number
  /** Acknowledged, published without a delay, and not finished on at least one channel. */
  readonly lost: number
  /** Of these, those that had been requeued with a delay. */
  readonly lostAfterRequeue: number
  /** Acknowledged, published with a delay, and not finished on at least one channel. */
  readonly deferredLost: number
  /** Bodies without a wrong byte that were not published to the topic. */
  readonly invented: number
  /** Bodies with a wrong byte. */
  readonly corrupt: number
  /** Delivered before the delay of their DPUB or REQ had passed. */
  readonly early: number
  /** Delivered too early after a kill during a stall of the disk. */
  readonly earlyInStalls: number
  /** Deliveries with fewer attempts than must be known. */
  readonly lowerAttempts: number
  /** Deliveries with fewer attempts after a kill during a stall of the disk. */
  readonly lowerAttemptsInStalls: number
  /** Redelivered after a restart although the daemon had executed their FIN. */
  readonly duplicates: number
  /** As a percentage of all deliveries. */
  readonly duplicatesPercent: number
  /** Redelivered after a restart although a FIN had been sent; it is unknown whether the daemon had received it. */
  readonly unconfirmed: number
  /** Duplicates of messages that were confirmed before the kill by more than the flush window, but within the allowance. */
  readonly duplicatesWithinNoise: number
  /** Duplicates of messages that were confirmed before that, shortly before or in a stall of the disk that lasted until the kill. */
  readonly duplicatesInStalls: number
  /** Duplicates of other messages that were confirmed longer than flush window and allowance before the kill. */
  readonly staleDuplicates: number
  /** Duplicates that were delivered twice after one restart: a queue has the message twice. */
  readonly secondCopies: number
  /** Redelivered by the process that had accepted the message and confirmed its FIN. */
  readonly duplicatesWithoutRestart: number
  readonly duplicatesByAge: Readonly<Record<string, number>>
  readonly examples: ReadonlyArray<string>
}
