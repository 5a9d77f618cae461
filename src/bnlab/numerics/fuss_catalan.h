// The distribution of the squared singular values of a product of s large random matrices.
//
// A product of s independent N×N matrices with independent normal entries of variance 1/N has, as N grows, squared
// singular values x distributed by the Fuss-Catalan law of order s, whose k-th moment is the Fuss-Catalan number
// C(sk + k, k) / (sk + 1). Source: Penson & Życzkowski 2011, "Product of Ginibre matrices: Fuss-Catalan and Raney
// distributions"; the parametrization by an angle 0 < φ < π/(s + 1) by Biane 1998, Forrester & Liu 2015:
//
//     x = sin(φ')^(s+1) / (sin φ sin(sφ)^s),  φ' = (s + 1)φ.
//
// The resolvent w = x G(x) solves w^(s+1) = x (w - 1), and has argument φ at that x. Its integral over ln x is
// s w - ln(w - 1), whose imaginary part gives the distribution function without an integral:
//
//     P(X > x) = (φ' - s sin φ sin φ' / sin(sφ)) / π.
//
// s = 1 is the quarter circle of Marchenko and Pastur.
#pragma once

#include <cstdint>

namespace bnlab {

/// P(X <= x). s at least 1, x at least 0.
double fuss_catalan_cdf(int64_t s, double x);

/// The x with P(X <= x) = p; 0 < p < 1.
double fuss_catalan_quantile(int64_t s, double p);

/// By how much the logarithm of the condition number of a product of N×N matrices with independent normal entries grows
/// a factor, when there are many: the largest minus the smallest Lyapunov exponent, (ψ(N/2) - ψ(1/2))/2. N even.
/// Source: Newman 1986, "The distribution of Lyapunov exponents: exact results for random matrices".
double lyapunov_spread(int64_t n);

}  // namespace bnlab
