import { useAtomRefresh, useAtomValue } from "@effect/atom-react"
import { Cause } from "effect"
import { AsyncResult, type Atom } from "effect/reactivity"
import { type ReactNode, useEffect, useRef } from "react"
import { messageOf } from "../core/api.ts"
import { liveAtom } from "../live/live.ts"
import { Notice, Raw, ResponseWarning } from "./Notice.tsx"
import { Skeleton } from "./Waiting.tsx"

/** Whether no daemon has the subject of the query, rather than that none responds. */
const isMissing = (cause: Cause.Cause<unknown>): boolean => {
  const error = Cause.squash(cause)
  return (typeof error === "object" && error !== null && "_tag" in error && error._tag === "NotFound") ||
    /TOPIC_NOT_FOUND|CHANNEL_NOT_FOUND/.test(messageOf(cause))
}

const sentenceOf = (message: string): string =>
  message.startsWith("UPSTREAM_ERROR") ? "No daemon responded to nsqadmin's request." : message

/** The error of a query, with a button to retry; the technical text is shown on demand. */
export const QueryError = (
  { cause, onRetry }: { readonly cause: Cause.Cause<unknown>; readonly onRetry: () => void }
) => {
  const message = messageOf(cause)
  const sentence = sentenceOf(message)
  return (
    <Notice kind="error">
      {sentence} <button type="button" onClick={onRetry}>Try again</button>
      {sentence !== message && <Raw text={message} />}
    </Notice>
  )
}

/**
 * Shows the response of a query with its warning, or its error with a button to retry, or a skeleton. With `live` it repeats the query
 * with each sample of the cluster. The last response remains visible during and after a failed query.
 */
export const QueryResponse = <A extends { readonly message: string }, E>(
  { children, early, live = false, of, whenMissing }: {
    readonly of: Atom.Atom<AsyncResult.AsyncResult<A, E>>
    readonly live?: boolean
    /** What is known before the first response, which a slow daemon delays, and after an error. */
    readonly early?: ReactNode
    /** Replaces the error if no daemon has the subject. */
    readonly whenMissing?: ReactNode
    readonly children: (response: A) => ReactNode
  }
) => {
  const result = useAtomValue(of)
  const refresh = useAtomRefresh(of)
  const { at } = useAtomValue(liveAtom)
  // A refresh aborts the pending query, so with slow daemons none would complete: only one query runs at a time.
  const isPending = useRef(result.waiting)
  isPending.current = result.waiting
  // The first sample of a page arrives with its first response: the query need not be repeated.
  const queriedAt = useRef(at)
  useEffect(() => {
    const isFirst = queriedAt.current === 0
    queriedAt.current = at
    if (live && at !== 0 && !isFirst && !isPending.current && document.visibilityState === "visible") refresh()
  }, [at, live, refresh])
  if (result._tag === "Failure" && whenMissing !== undefined && isMissing(result.cause)) return whenMissing
  const known = AsyncResult.value(result)
  return (
    <>
      {result._tag === "Failure" && <QueryError cause={result.cause} onRetry={refresh} />}
      {known._tag === "Some"
        ? (
          <>
            <ResponseWarning message={known.value.message} />
            {children(known.value)}
          </>
        )
        : early ?? (result._tag !== "Failure" && <Skeleton />)}
    </>
  )
}
