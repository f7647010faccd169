// Package train factorizes the matrix of who interacted with what: implicit-feedback alternating least squares.
//
// # Model
//
// Users and items get vectors of one dimension; a user's score for an item is their inner product. Over the set S of
// observed (user, item) pairs with weights c, training minimises
//
//	Σ_S c·(ŷ − 1)²  +  α0·Σ_all ŷ²  +  λ·Σ_u (n_u + α0·|I|)^ν·|u|²  +  λ·Σ_i (n_i + α0·|U|)^ν·|i|²
//
// as in Rendle, Krichene, Zhang and Koren 2021, "Revisiting the performance of iALS on item recommendation
// benchmarks" (n counts a row's distinct partners). An epoch solves every user exactly with the items held fixed, then every
// item with the users held fixed; the sum over all pairs costs no more than a Gram matrix (Hu, Koren and Volinsky
// 2008). One more user step follows the last epoch, so that each user's vector is the exact answer to the final
// items: precisely what [rowsolve.FoldIn] computes at request time for the same history, bit for bit.
//
// # Determinism
//
// The package does no I/O, reads no clock and draws no random numbers: initial item vectors are a hash of seed, row
// and column. Its only concurrency is a parallel loop over rows that do not depend on each other, so the bytes of a
// [Model] are a function of the matrix, the parameters and the kernel tier, whatever the number of threads.
package train
