/** The steps of a chart's axis: 1, 2 and 5 times powers of ten, so that the labels are exact. Pure. */

const stepsFrom = (firstPower: number): ReadonlyArray<number> =>
  Array.from({ length: 15 - firstPower }, (_, i) => [1, 2, 5].map((step) => Number(`${step}e${firstPower + i}`))).flat()

/** Of counts, which are whole numbers. */
export const wholeSteps = stepsFrom(0)

/** Of rates, whose labels have one digit after the point. */
export const rateSteps = stepsFrom(-1)
