// What happens in each step and why, for a person who reads about it for the first time.
import type { Step } from "./steps";

const forward: Record<string, string> = {
  x:
    "This is the table that comes in: a row is an example, a column is one quantity measured on all of them (in a " +
    "network, one channel of a layer). Each column is treated by itself. Its numbers may be large or small, near 0 " +
    "or far from it, and a network learns badly from columns that differ so much.",
  mean:
    "The average of each column: add up its numbers and divide by N, the number of rows. From here on every row has " +
    "a say in what becomes of all the others.",
  centered:
    "Take the mean away. What is left says how far a row lies above or below the average, and the column's new mean " +
    "is 0. x is used twice, here and for its mean; on the way back, two gradients will meet at x.",
  squared:
    "Square each distance, so that distances below the mean count like those above it, and large ones count most. " +
    "centered, too, will be used twice: here and at xhat.",
  var_biased:
    "The average of the squares is the variance: how widely the column is spread. It is divided by N. (Divided by N " +
    "− 1 it would be the unbiased estimate for a larger population; here only these rows matter, hence the name.)",
  std:
    "The root of the variance is the standard deviation: a typical distance from the mean, in the column's own unit. " +
    "The small number ε (eps) is added first, so that a column whose rows are all equal does not lead to a division " +
    "by 0.",
  rstd:
    "One divided by the standard deviation. It is computed once a column, because multiplying all rows by it is " +
    "cheaper than dividing all of them.",
  xhat:
    "Divide each distance by the typical distance. Now the column has mean 0 and variance 1 (a little less: ε), " +
    "whatever its unit was. This is the normalization: a column of centimetres and one of years can now be compared.",
  gamma:
    "The scale: one number a column, which the network learns while it trains. It usually begins at 1, which changes " +
    "nothing.",
  scaled:
    "Stretch each column by its gamma. Without it, every layer would be held to variance 1, even where another " +
    "spread would serve it better.",
  beta: "The shift: a second number a column that the network learns. It usually begins at 0, which changes nothing.",
  y:
    "Move each column by its beta. This is what the next layer gets: whatever came in, a column's mean is now beta, " +
    "and its standard deviation the size of gamma.",
};

const backward: Record<string, string> = {
  y:
    "Now the way back. Training wants to know: if this number of y grew a little, how would the loss change, the " +
    "number that says how wrong the network is? That rate is the gradient dy. It comes from the layers behind; here " +
    "it is the table dy above, which you can edit.",
  beta: "beta was added to every row of its column, so it gets the sum of their gradients. Training moves beta by this.",
  scaled:
    "y is scaled plus something: if scaled grows by a little, y grows by as much. The gradient passes on unchanged.",
  gamma:
    "gamma stretches xhat, so changing it moves a row by that row's xhat: each row's gradient counts times its xhat, " +
    "and all rows are added up. Training moves gamma by this.",
  xhat: "A product passes the gradient on times the other factor, here gamma.",
  rstd:
    "xhat was centered · rstd, so rstd gets the gradient times the other factor, centered. All rows share one rstd: " +
    "their parts are added up. Through it a row's gradient will reach all rows.",
  std: "The slope of 1/std is −1/std²: where std grows, rstd shrinks.",
  var_biased: "The slope of a square root is 1 over twice the root.",
  squared: "The variance is an average, so each of the N squares gets an N-th of its gradient: the same for all rows.",
  centered:
    "Two paths meet here, and what they bring is added. The direct one comes from xhat, times rstd. The other comes " +
    "through the variance: the slope of a square is 2 · centered, so it pulls most on the rows that lie far out.",
  mean:
    "The mean was taken from every row, so it gets minus the sum of their gradients. (The path through the variance " +
    "adds nothing to this sum, since the distances from a mean add up to 0.)",
  x:
    "Again two paths are added: the direct one, and that through the mean, of which each row gets an N-th. The " +
    "result, dx, is what training hands to the layer before. Rows whose dy is 0 have a gradient too, because they " +
    "took part in mean and variance; and in every column dx adds up to 0.",
};

const forwardInference: Record<string, string> = {
  running_mean:
    "While the network was trained, it kept an average of the means that it met. Now that training is over, this " +
    "number is fixed. So a row's result no longer depends on which rows happen to stand beside it.",
  centered:
    "Take that fixed mean away. The column's new mean is only near 0, as far as these rows are like those of training.",
  running_var: "The same for the variance: an average of what training met, and now fixed.",
  std:
    "The root of that variance is a typical distance from the mean, in the column's own unit. The small number ε " +
    "(eps) is added first, so that it is never 0.",
  xhat:
    "Divide each distance by that typical distance. mean, variance, gamma and beta are all fixed now, so the whole " +
    "layer is one multiplication and one addition a column; fast programs put them into the layer before.",
  y: "Move each column by its beta. This is what the next layer gets.",
};

const backwardInference: Record<string, string> = {
  centered:
    "Mean and variance are constants, so that nothing flows back through them: one path is left, the direct one, times " +
    "rstd.",
  x:
    "One path again. Each row's gradient is its own dy times gamma and rstd; the rows do not mix. Compare with " +
    "training, where every row has a part in the gradients of all.",
};

export function wordsOn({ node, backward: isBackward }: Step, inference: boolean): string {
  const [special, usual] = isBackward ? [backwardInference, backward] : [forwardInference, forward];
  return (inference ? special[node] : undefined) ?? usual[node] ?? "";
}

export function overview(inference: boolean): string {
  return (
    `The ${inference ? "eleven" : "twelve"} nodes are the whole computation. Read the blue numbers from left to right: ` +
    "they are made from one another on the way forward. Then read the red ones from right to left: a node's gradient " +
    "says by how much the loss would change for a small change of the node's number. Press forward to be led through, " +
    "or click a node."
  );
}
