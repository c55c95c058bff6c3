/** The live figures of a topic, indexed. */
import { useAtomValue } from "@effect/atom-react"
import { useMemo } from "react"
import { Points } from "../core/flowRows.ts"
import { liveAtom } from "./live.ts"

/** Returns the figures of the topic of the current page. */
export const usePoints = (topic: string): Points => {
  const { points } = useAtomValue(liveAtom)
  return useMemo(() => new Points(topic, points), [points, topic])
}
